package builder

import (
	"context"
	_ "embed" // the scripts that run in the guest
	"fmt"
	"strings"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/vm/remote"
)

// guest is the operating system that the running machine reports.
type guest struct {
	osID      string
	osRelease string
	arch      string
}

// settleScript waits for the end of the first boot and prints the operating system.
//
//go:embed guest_settle.sh
var settleScript string

// tidyScript removes the traces of the build from the machine.
//
//go:embed guest_tidy.sh
var tidyScript string

// readGuest also returns the errors and warnings of cloud-init, as complaint.
func readGuest(ctx context.Context, machine *remote.Machine) (g guest, complaint string, err error) {
	output, err := machine.Run(ctx, remote.Script{Text: settleScript, Timeout: scriptTimeout})
	if err != nil {
		return guest{}, "", fmt.Errorf("wait for the first boot of the base image: %w", err)
	}
	return parseGuest(output)
}

// parseGuest parses the output of settleScript: cloud-init's complaint of any length, then
// three lines.
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

// scriptTimeout allows for a first boot under emulation and for trimming a large disk.
const scriptTimeout = 30 * time.Minute
