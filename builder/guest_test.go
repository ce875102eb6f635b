package builder

import (
	"context"
	"os/exec"
	"strings"
	"testing"

	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/vm/remote"
)

// hostShell is a communicator that runs commands in the shell of this host.
type hostShell struct {
	packersdk.MockCommunicator
	commands []string
	// instead returns a replacement for a command; nil runs the command itself.
	instead func(command string) string
}

func (s *hostShell) Start(ctx context.Context, run *packersdk.RemoteCmd) error {
	s.commands = append(s.commands, run.Command)
	text := run.Command
	if s.instead != nil {
		text = s.instead(text)
	}
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", text)
	cmd.Stdout, cmd.Stderr = run.Stdout, run.Stderr
	go func() {
		_ = cmd.Run()
		run.SetExited(cmd.ProcessState.ExitCode())
	}()
	return nil
}

func TestReadGuestOfThisHost(t *testing.T) {
	id, err := exec.Command("/bin/sh", "-c", `. /etc/os-release && printf '%s' "$ID"`).Output()
	require.NoError(t, err)
	machine, err := exec.Command("uname", "-m").Output()
	require.NoError(t, err)

	g, complaint, err := readGuest(context.Background(), remote.NewMachine(new(hostShell)))
	require.NoError(t, err)
	assert.Equal(t, string(id), g.osID)
	assert.Equal(t, strings.TrimSpace(string(machine)), g.arch)
	assert.NotEmpty(t, g.osRelease)
	assert.Empty(t, complaint)
}

func TestScriptsAreValidShell(t *testing.T) {
	for _, script := range []string{settleScript, tidyScript} {
		cmd := exec.Command("/bin/sh", "-n")
		cmd.Stdin = strings.NewReader(script)
		output, err := cmd.CombinedOutput()
		assert.NoError(t, err, "%s", output)
	}
}

func TestParseGuest(t *testing.T) {
	tests := map[string]struct {
		output    string
		want      guest
		complaint string
		fails     bool
	}{
		"plain":           {"debian\n12\nx86_64\n", guest{"debian", "12", "x86_64"}, "", false},
		"with complaints": {"status: error\nmodule x\nubuntu\n24.04\naarch64\n", guest{"ubuntu", "24.04", "aarch64"}, "status: error\nmodule x", false},
		"no version":      {"debian\n\nx86_64\n", guest{}, "", true},
		"two words":       {"debian\n12 or so\nx86_64\n", guest{}, "", true},
		"cut short":       {"debian\n12\n", guest{}, "", true},
		"empty":           {"", guest{}, "", true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, complaint, err := parseGuest(test.output)
			assert.Equal(t, test.fails, err != nil, "%v", err)
			assert.Equal(t, test.want, got)
			assert.Equal(t, test.complaint, complaint)
		})
	}
}

func FuzzParseGuest(f *testing.F) {
	f.Add("debian\n12\nx86_64\n")
	f.Add("status: error\n\ndebian\n12\nx86_64")
	f.Fuzz(func(t *testing.T, output string) {
		g, _, err := parseGuest(output)
		if err == nil {
			for _, word := range []string{g.osID, g.osRelease, g.arch} {
				assert.Len(t, strings.Fields(word), 1)
			}
		}
	})
}
