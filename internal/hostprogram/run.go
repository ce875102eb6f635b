package hostprogram

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Command returns a command for a program of this host; cancelling the context kills it.
func Command(ctx context.Context, program string, from Package, arguments ...string) (*exec.Cmd, error) {
	path, err := Find(program, from)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, path, arguments...)
	// A child process may keep its pipes open.
	cmd.WaitDelay = 5 * time.Second
	return cmd, nil
}

// Run runs a program to its end. The error is a Failure, or the cause of the context's end.
// The program's output is kept for the error, unless cmd has a writer for it.
func Run(ctx context.Context, cmd *exec.Cmd) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var said bytes.Buffer
	if cmd.Stderr == nil {
		cmd.Stderr = &said
		if cmd.Stdout == nil {
			cmd.Stdout = &said
		}
	}
	err := cmd.Run()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		// Some programs print their name first, which callers add as well.
		text := strings.TrimPrefix(strings.TrimSpace(said.String()), filepath.Base(cmd.Path)+": ")
		return Failure{Said: shorten(text), Err: err}
	}
	return nil
}

// Failure is the error of a program that failed. It unwraps to the exit status.
type Failure struct {
	// Said is the beginning of its output, without the program's name.
	Said string
	Err  error
}

func (f Failure) Error() string {
	if f.Said == "" {
		return f.Err.Error()
	}
	return f.Said
}

// Unwrap returns the exit status.
func (f Failure) Unwrap() error { return f.Err }

// shorten keeps the beginning: for a damaged image qemu-img writes one line per cluster.
func shorten(message string) string {
	const most = 3
	lines := strings.Split(message, "\n")
	if len(lines) <= most {
		return message
	}
	return fmt.Sprintf("%s\n... and %d more lines", strings.Join(lines[:most], "\n"), len(lines)-most)
}
