package inspect

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/hostprogram"
)

// fileSystem is an ext file system, read without mounting it. It is copied to a file of its
// own, because the way to tell e2fsprogs its offset in a disk differs between their versions.
type fileSystem struct {
	// directory contains the file, which is called fileName.
	directory string
}

// fileName is a plain name, because e2fsprogs interpret some characters as options and tags.
const fileName = "part.raw"

func (f fileSystem) path() string { return filepath.Join(f.directory, fileName) }

var distributionPackage = hostprogram.Package{Debian: "e2fsprogs", Fedora: "e2fsprogs"}

// Available returns nil if the programs that read a file system are installed, otherwise an
// error that says what to install.
func Available() error {
	for _, name := range []string{"debugfs", "dumpe2fs"} {
		if _, err := hostprogram.Find(name, distributionPackage); err != nil {
			return err
		}
	}
	return nil
}

// output runs a program of e2fsprogs and returns its standard output.
func (f fileSystem) output(ctx context.Context, name string, arguments ...string) ([]byte, error) {
	command, err := f.command(ctx, name, arguments...)
	if err != nil {
		return nil, err
	}
	var output bytes.Buffer
	command.Stdout = &output
	err = hostprogram.Run(ctx, command)
	if errors.As(err, &hostprogram.Failure{}) {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return output.Bytes(), err
}

// command returns a command of e2fsprogs, whose messages are not translated.
func (f fileSystem) command(ctx context.Context, name string, arguments ...string) (*exec.Cmd, error) {
	command, err := hostprogram.Command(ctx, name, distributionPackage, append(arguments, fileName)...)
	if err != nil {
		return nil, err
	}
	command.Dir = f.directory
	command.Env = []string{"LC_ALL=C"}
	return command, nil
}

// debugfs runs all requests in one process and passes the output of each to answer, which must
// read exactly that output. Requests name files by inode, so nothing needs quoting.
func (f fileSystem) debugfs(ctx context.Context, requests []string, answer func(number int, r *bufio.Reader) error) error {
	var stderr bytes.Buffer
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	command, err := f.command(ctx, "debugfs", "-f", "-")
	if err != nil {
		return err
	}
	command.Stderr = &stderr
	command.Stdin = strings.NewReader(strings.Join(requests, "\n") + "\n")
	stdout, err := command.StdoutPipe()
	if err != nil {
		return err
	}
	if err := command.Start(); err != nil {
		return fmt.Errorf("start debugfs: %w", err)
	}
	err = readAnswers(stdout, requests, answer)
	// debugfs would otherwise block forever on its full output pipe.
	stdout.Close()
	waitErr := command.Wait()
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case complaint(stderr.String()) != "":
		return fmt.Errorf("read the file system: %s", complaint(stderr.String()))
	case err != nil:
		return fmt.Errorf("read the file system: %w", err)
	case waitErr != nil:
		return fmt.Errorf("read the file system: debugfs: %w", waitErr)
	}
	return nil
}

// readAnswers splits the output of debugfs, which repeats the request before each answer.
func readAnswers(output io.Reader, requests []string, answer func(number int, r *bufio.Reader) error) error {
	r := bufio.NewReaderSize(output, 1<<20)
	for number, request := range requests {
		line, err := r.ReadString('\n')
		if err != nil {
			return fmt.Errorf("debugfs ended before %q", request)
		}
		if line != "debugfs: "+request+"\n" {
			return fmt.Errorf("debugfs said %.80q before %q", line, request)
		}
		if err := answer(number, r); err != nil {
			return fmt.Errorf("%s: %w", request, err)
		}
	}
	return nil
}

// complaint returns the errors of debugfs, without its name and version. It exits with 0
// whatever happens.
func complaint(stderr string) string {
	var said []string
	for line := range strings.Lines(stderr) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "debugfs 1.") {
			said = append(said, line)
		}
	}
	const most = 3
	return strings.Join(said[:min(len(said), most)], "; ")
}
