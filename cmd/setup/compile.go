package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// program is one that go build makes.
type program struct {
	// module is the directory of another module than this one.
	module string
	// source is the package.
	source string
	output string
	// strip leaves out what only a debugger reads.
	strip bool
	// architecture is Go's name of the one to compile for; empty means this machine's.
	architecture string
}

// compile builds the program and shows how many of its packages are compiled.
func (s *setup) compile(ctx context.Context, name string, p program) error {
	job := s.jobs.Start(name)
	meter := &buildMeter{far: job.Far}
	job.Far("looking for what has to be compiled")
	total, err := stale(ctx, p, meter)
	if err == nil {
		meter.total = total
		err = build(ctx, p, meter)
	}
	if err != nil {
		job.End("failed")
		return fmt.Errorf("compile %s: %w", p.source, err)
	}
	job.End("compiled")
	return nil
}

// stale counts the packages that Go has not compiled before. On the way Go downloads the
// modules that are missing.
func stale(ctx context.Context, p program, meter *buildMeter) (int, error) {
	list := p.command(ctx, "list", "-deps", "-f", "{{if .Stale}}{{.ImportPath}}{{end}}")
	var packages bytes.Buffer
	list.Stdout = &packages
	err := follow(list, meter.line)
	return bytes.Count(packages.Bytes(), []byte("\n")), err
}

// build puts a finished program into its place, or leaves what is there.
func build(ctx context.Context, p program, meter *buildMeter) error {
	output, err := filepath.Abs(p.output)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(output), 0o755); err != nil {
		return err
	}
	arguments := []string{"build", "-v", "-o", output + ".new"}
	if p.strip {
		arguments = append(arguments, "-ldflags=-s -w")
	}
	defer os.Remove(output + ".new")
	if err := follow(p.command(ctx, arguments...), meter.line); err != nil {
		return err
	}
	return os.Rename(output+".new", output)
}

func (p program) command(ctx context.Context, arguments ...string) *exec.Cmd {
	command := goCommand(ctx, append(arguments, p.source)...)
	command.Dir = p.module
	if p.architecture != "" {
		command.Env = append(command.Env, "GOARCH="+p.architecture)
	}
	return command
}

// goCommand runs Go with the same settings for each program, so that what one of them
// compiled serves the next.
func goCommand(ctx context.Context, arguments ...string) *exec.Cmd {
	run := command(ctx, "go", arguments...)
	run.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+runtime.GOOS,
		"GOFLAGS="+strings.TrimSpace(os.Getenv("GOFLAGS")+" -trimpath -buildvcs=false"))
	return run
}

// command is asked to stop, and given a minute for that, before it is killed.
func command(ctx context.Context, name string, arguments ...string) *exec.Cmd {
	run := exec.CommandContext(ctx, name, arguments...)
	run.Cancel = func() error { return run.Process.Signal(syscall.SIGTERM) }
	run.WaitDelay = time.Minute
	return run
}

// buildMeter counts what go build -v says.
type buildMeter struct {
	far                         func(string)
	total, compiled, downloaded int
}

func (m *buildMeter) line(line string) {
	switch {
	case strings.HasPrefix(line, "go: downloading "):
		m.downloaded++
		m.far(fmt.Sprintf("%d modules downloaded", m.downloaded))
	case !strings.Contains(line, " ") && m.total > 0:
		m.compiled++
		m.far(fmt.Sprintf("%d of %d packages compiled", m.compiled, max(m.total, m.compiled)))
	}
}

// follow runs the command and passes on each line of what it says on stderr. Its last
// lines are the reason if it fails.
func follow(command *exec.Cmd, each func(line string)) error {
	const most = 20
	stderr, err := command.StderrPipe()
	if err != nil {
		return err
	}
	if err := command.Start(); err != nil {
		return err
	}
	var last []string
	lines := bufio.NewScanner(stderr)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		each(lines.Text())
		if !strings.HasPrefix(lines.Text(), "go: downloading ") {
			last = append(last, lines.Text())[max(0, len(last)+1-most):]
		}
	}
	// A line that is too long for a person must not stop who writes it.
	_, _ = io.Copy(io.Discard, stderr)
	err = command.Wait()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return fmt.Errorf("%w\n%s", err, strings.Join(last, "\n"))
	}
	return err
}
