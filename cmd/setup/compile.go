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

// program is a program to compile with go build.
type program struct {
	// module is the directory of the module, if it is not this one.
	module string
	// source is the path of the package.
	source string
	output string
	// strip omits the symbol table and debug information.
	strip bool
	// architecture is the GOARCH to compile for; empty means this machine's.
	architecture string
}

// compile builds the program and shows how many of its packages are done.
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

// stale counts the packages that need compiling. As a side effect, Go downloads missing
// modules.
func stale(ctx context.Context, p program, meter *buildMeter) (int, error) {
	list := p.command(ctx, "list", "-deps", "-f", "{{if .Stale}}{{.ImportPath}}{{end}}")
	var packages bytes.Buffer
	list.Stdout = &packages
	err := follow(list, meter.line)
	return bytes.Count(packages.Bytes(), []byte("\n")), err
}

// build replaces the output only when the program is complete.
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

// goCommand runs Go with the same settings for all programs, so that they share Go's build
// cache.
func goCommand(ctx context.Context, arguments ...string) *exec.Cmd {
	run := command(ctx, "go", arguments...)
	run.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+runtime.GOOS,
		"GOFLAGS="+strings.TrimSpace(os.Getenv("GOFLAGS")+" -trimpath -buildvcs=false"))
	return run
}

// command stops a cancelled process with SIGTERM, and kills it a minute later.
func command(ctx context.Context, name string, arguments ...string) *exec.Cmd {
	run := exec.CommandContext(ctx, name, arguments...)
	run.Cancel = func() error { return run.Process.Signal(syscall.SIGTERM) }
	run.WaitDelay = time.Minute
	return run
}

// buildMeter counts the packages and modules in the output of go build -v.
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

// follow runs the command and passes each line of its stderr to each. If the command fails,
// the error includes the last lines.
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
	// Scan stops at a line longer than the buffer, but the command must not block on its
	// stderr.
	_, _ = io.Copy(io.Discard, stderr)
	err = command.Wait()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return fmt.Errorf("%w\n%s", err, strings.Join(last, "\n"))
	}
	return err
}
