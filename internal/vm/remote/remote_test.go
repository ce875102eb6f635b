package remote

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/remotetest"
)

func TestRun(t *testing.T) {
	machine := NewMachine(remotetest.New(t))
	for name, tt := range map[string]struct {
		script   Script
		out, err string
	}{
		"output":           {Script{Text: `echo one; echo two >&2`}, "one\n", ""},
		"values":           {Script{Text: `printf %s "$A$B"`, Env: Env{"A": `it's "$(x)"`, "B": "\n\\"}}, "it's \"$(x)\"\n\\", ""},
		"status":           {Script{Text: `echo bad >&2; exit 3`}, "", "exit status 3:\n  bad"},
		"silent":           {Script{Text: `exit 4`}, "", "exit status 4 without any output"},
		"first error ends": {Script{Text: `false; echo on`}, "", "exit status 1 without any output"},
		"unset variable":   {Script{Text: `echo "$NOPE"`}, "", "exit status 2:\n  sh: 1: NOPE: parameter not set"},
		"the tail only":    {Script{Text: `for i in $(seq 30); do echo $i; done; exit 1`}, lines(1, 30) + "\n", "exit status 1:\n  " + strings.ReplaceAll(lines(11, 30), "\n", "\n  ")},
	} {
		t.Run(name, func(t *testing.T) {
			tt.script.Timeout = time.Minute
			out, err := machine.Run(t.Context(), tt.script)
			assert.Equal(t, tt.out, out)
			if tt.err == "" {
				require.NoError(t, err)
				return
			}
			assert.EqualError(t, err, tt.err)
		})
	}
}

func lines(from, to int) string {
	var all []string
	for i := from; i <= to; i++ {
		all = append(all, fmt.Sprint(i))
	}
	return strings.Join(all, "\n")
}

func TestRunTellsLines(t *testing.T) {
	var heard []string
	_, err := NewMachine(remotetest.New(t)).Run(t.Context(), Script{
		Text:    `printf 'one\ntw'; printf 'o\nend'`,
		Timeout: time.Minute,
		Line:    func(line string) { heard = append(heard, line) },
	})
	require.NoError(t, err)
	assert.Equal(t, []string{"one", "two", "end"}, heard)
}

func TestRunDeadline(t *testing.T) {
	_, err := NewMachine(remotetest.New(t)).Run(t.Context(), Script{Text: `echo waiting; sleep 60`, Timeout: 2 * time.Second})
	assert.EqualError(t, err, "not finished after 2s; its last output:\n  waiting")
}

func TestRunCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	_, err := NewMachine(remotetest.New(t)).Run(ctx, Script{
		Text:    `echo started; sleep 60`,
		Timeout: time.Minute,
		Line:    func(string) { cancel() },
	})
	assert.ErrorIs(t, err, context.Canceled)
}

// broken is a communicator whose connection fails.
type broken struct {
	remotetest.Machine
	start error
}

func (b *broken) Start(_ context.Context, cmd *packersdk.RemoteCmd) error {
	if b.start == nil {
		cmd.SetExited(packersdk.CmdDisconnect)
	}
	return b.start
}

func TestLostConnection(t *testing.T) {
	_, err := NewMachine(&broken{start: errors.New("EOF")}).Run(t.Context(), Script{Timeout: time.Minute})
	assert.EqualError(t, err, "start a command on the machine: EOF")
	_, err = NewMachine(new(broken)).Run(t.Context(), Script{Timeout: time.Minute})
	assert.EqualError(t, err, "the connection to the machine was lost")
}

// The plugin holds the SSH connection to the machine it builds, all through the build. A
// session that ends while the communicator's keepalive is on its way must not leave it
// spinning, as x/crypto 0.52 does.
func TestNoKeepaliveOutlivesItsCommand(t *testing.T) {
	machine := NewMachine(remotetest.New(t).SSH(t, &remotetest.Link{}))
	for range 20 {
		_, err := machine.Run(t.Context(), Script{Text: "sleep 0.01", Timeout: time.Minute})
		require.NoError(t, err)
	}
	stacks := make([]byte, 1<<20)
	assert.Eventually(t, func() bool {
		n := runtime.Stack(stacks, true)
		return !strings.Contains(string(stacks[:n]), "communicator/ssh.(*comm).Start.func")
	}, 10*time.Second, 10*time.Millisecond, "a command's goroutines remain")
}

func TestWriteText(t *testing.T) {
	double := remotetest.New(t)
	double.Write("/etc/new dir/a file", "old")
	const text = "it's $(one)\\n\n100%s of \"two\"\n\n"
	require.NoError(t, NewMachine(double).WriteText(t.Context(), "/etc/new dir/a file", 0o640, text))
	assert.Equal(t, text, double.Read("/etc/new dir/a file"))
	info, err := os.Stat(double.Path("/etc/new dir/a file"))
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o640), info.Mode().Perm())

	double.Stub("mv", "echo no space left >&2; exit 1")
	assert.EqualError(t, NewMachine(double).WriteText(t.Context(), "/etc/x", 0o640, text),
		"write /etc/x: exit status 1:\n  no space left")
}
