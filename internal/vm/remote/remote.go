// Package remote runs shell scripts on the machine being built and copies files to it, over
// whatever connection Packer has, with deadlines, readable errors and verified contents.
package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/retry"
)

// Machine is the machine at the other end of a communicator.
type Machine struct {
	comm    packersdk.Communicator
	retries retry.Policy
}

// NewMachine returns the machine behind comm.
func NewMachine(comm packersdk.Communicator) *Machine {
	return &Machine{comm, retries}
}

// Script is a piece of POSIX shell, run with -e and -u.
type Script struct {
	// Text is the script. Values must be passed through Env, never inserted into it.
	Text string
	// Env holds the variables of the script.
	Env Env
	// Input is its standard input; nil for none.
	Input io.Reader
	// Timeout limits the wait for the script. It starts again whenever the script reads some
	// of its input.
	Timeout time.Duration
	// Line is called with each line of output as it arrives; it may be nil.
	Line func(string)
}

// Failure is a script that ended with a status other than 0.
type Failure struct {
	Status int
	// Output is the end of what it wrote to standard output and standard error.
	Output string
}

func (f *Failure) Error() string {
	if f.lost() {
		return "the connection to the machine was lost" + indented(f.Output)
	}
	if f.Output == "" {
		return fmt.Sprintf("exit status %d without any output", f.Status)
	}
	return fmt.Sprintf("exit status %d:%s", f.Status, indented(f.Output))
}

// lost reports whether the connection ended before the script did.
func (f *Failure) lost() bool { return f.Status == packersdk.CmdDisconnect }

func indented(text string) string {
	if text == "" {
		return ""
	}
	return "\n  " + strings.ReplaceAll(text, "\n", "\n  ")
}

// Run runs the script and returns its standard output. The error is a *Failure if the
// script ran and failed. When ctx ends, Run returns at once; whatever still runs on the
// machine ends with the machine.
func (m *Machine) Run(ctx context.Context, script Script) (string, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	deadline := time.AfterFunc(script.Timeout, func() { cancel(script.late()) })
	defer deadline.Stop()
	output := newOutput(script.Line)
	cmd := &packersdk.RemoteCmd{Command: script.command(), Stdout: output.stdout(), Stderr: output.stderr()}
	if script.Input != nil {
		cmd.Stdin = &input{ctx, script.Input, deadline, script.Timeout}
	}
	done := make(chan error, 1)
	go func() {
		if err := m.comm.Start(ctx, cmd); err != nil {
			done <- fmt.Errorf("start a command on the machine: %w", err)
			return
		}
		done <- status(cmd.Wait())
	}()
	select {
	case <-ctx.Done():
		return output.text(), withTail(context.Cause(ctx), output.tail())
	case err := <-done:
		output.flush()
		if failure := (*Failure)(nil); errors.As(err, &failure) {
			failure.Output = output.tail()
		}
		return output.text(), err
	}
}

func (s Script) late() error {
	if s.Input != nil {
		return fmt.Errorf("the machine took nothing for %s", s.Timeout)
	}
	return fmt.Errorf("not finished after %s", s.Timeout)
}

func status(code int) error {
	if code == 0 {
		return nil
	}
	return &Failure{Status: code}
}

func withTail(err error, tail string) error {
	if tail == "" || errors.Is(err, context.Canceled) {
		return err
	}
	return fmt.Errorf("%w; its last output:%s", err, indented(tail))
}
