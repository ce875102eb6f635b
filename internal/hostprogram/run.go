package hostprogram

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

// Command is a program of this host that a cancelled context kills.
func Command(ctx context.Context, program string, from Package, arguments ...string) (*exec.Cmd, error) {
	path, err := Find(program, from)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, path, arguments...)
	// Something it has started may hold its pipes open.
	cmd.WaitDelay = 5 * time.Second
	return cmd, nil
}

// Run runs a program to its end. The error is a Failure, or the cause of the context's end.
// Stderr is kept for the error, unless cmd has a place for it.
func Run(ctx context.Context, cmd *exec.Cmd) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var stderr bytes.Buffer
	if cmd.Stderr == nil {
		cmd.Stderr = &stderr
	}
	err := cmd.Run()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		return Failure{Said: shorten(strings.TrimSpace(stderr.String())), Err: err}
	}
	return nil
}

// Failure is a program that has failed. It unwraps to its exit status.
type Failure struct {
	// Said is the beginning of what it said to stderr.
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
