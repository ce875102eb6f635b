package builder

import (
	"bytes"
	"context"
	_ "embed" // the scripts that run in the guest
	"errors"
	"fmt"
	"strings"

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

func readGuest(ctx context.Context, comm packersdk.Communicator) (guest, error) {
	output, err := runScript(ctx, comm, settleScript)
	if err != nil {
		return guest{}, fmt.Errorf("wait for the first boot of the base image: %w", err)
	}
	return parseGuest(output)
}

// parseGuest reads the three lines settleScript ends with.
func parseGuest(output string) (guest, error) {
	lines := strings.Split(strings.TrimSpace(output), "\n")
	if len(lines) < 3 {
		return guest{}, fmt.Errorf("read /etc/os-release of the base image: expected id, version and architecture, got %q", output)
	}
	last := lines[len(lines)-3:]
	g := guest{osID: last[0], osRelease: last[1], arch: last[2]}
	for _, word := range last {
		if len(strings.Fields(word)) != 1 {
			return guest{}, fmt.Errorf("read /etc/os-release of the base image: expected ID, VERSION_ID and the architecture to be one word each, got %q", last)
		}
	}
	return g, nil
}

// runScript runs a shell script as root in the guest; the error holds what it wrote.
func runScript(ctx context.Context, comm packersdk.Communicator, script string) (string, error) {
	var stdout, stderr bytes.Buffer
	cmd := &packersdk.RemoteCmd{
		Command: "/bin/sh -s",
		Stdin:   strings.NewReader(script),
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
