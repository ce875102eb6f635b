package builder

import (
	"bytes"
	"context"
	_ "embed" // the scripts that run in the guest
	"errors"
	"fmt"
	"strings"
	"time"

	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"
)

// guest is what the running machine says about itself.
type guest struct {
	osID      string
	osRelease string
	arch      string
}

// settleScript waits for the end of the first boot and names the system.
//
//go:embed guest_settle.sh
var settleScript string

// tidyScript removes what the build itself left in the machine.
//
//go:embed guest_tidy.sh
var tidyScript string

// readGuest returns what cloud-init complained about besides.
func readGuest(ctx context.Context, comm packersdk.Communicator) (g guest, complaint string, err error) {
	output, err := runScript(ctx, comm, settleScript)
	if err != nil {
		return guest{}, "", fmt.Errorf("wait for the first boot of the base image: %w", err)
	}
	return parseGuest(output)
}

// parseGuest reads the output of settleScript: a complaint of any length, then three
// lines.
func parseGuest(output string) (g guest, complaint string, err error) {
	lines := strings.Split(strings.TrimSuffix(output, "\n"), "\n")
	first := max(0, len(lines)-3)
	facts := lines[first:]
	for _, word := range facts {
		if len(facts) < 3 || len(strings.Fields(word)) != 1 {
			return guest{}, "", fmt.Errorf("read /etc/os-release of the base image: expected ID, VERSION_ID and the architecture, one word each, got %q", facts)
		}
	}
	return guest{osID: facts[0], osRelease: facts[1], arch: facts[2]}, strings.Join(lines[:first], "\n"), nil
}

// scriptTimeout is generous: a first boot under emulation, the trimming of a large disk.
const scriptTimeout = 30 * time.Minute

// runScript runs a shell script as root in the guest; the error holds what it wrote. The
// braces make the shell read all of it first, so that no program in it eats its rest.
func runScript(ctx context.Context, comm packersdk.Communicator, script string) (string, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, scriptTimeout, fmt.Errorf("not finished after %s", scriptTimeout))
	defer cancel()
	var stdout, stderr bytes.Buffer
	cmd := &packersdk.RemoteCmd{
		Command: "/bin/sh -s",
		Stdin:   strings.NewReader("{\n" + script + "\nexit\n} </dev/null\n"),
		Stdout:  &stdout,
		Stderr:  &stderr,
	}
	if err := comm.Start(ctx, cmd); err != nil {
		return "", err
	}
	finished := make(chan int, 1)
	go func() { finished <- cmd.Wait() }()
	select {
	case <-ctx.Done():
		return "", context.Cause(ctx)
	case status := <-finished:
		if status != 0 {
			return "", errors.New(strings.TrimSpace(fmt.Sprintf("the guest's shell ended with status %d\n%s%s", status, stdout.String(), stderr.String())))
		}
		return stdout.String(), nil
	}
}
