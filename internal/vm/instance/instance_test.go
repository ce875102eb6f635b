package instance

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/qemuvmtest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/vm/accelerator"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/vm/firmware"
)

func TestMain(m *testing.M) {
	if err := Available("amd64", firmware.BIOS); err != nil {
		fmt.Fprintf(os.Stderr, "%v: run make setup\n", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func TestCheckContextListsEveryMistakeAndNoSecret(t *testing.T) {
	assert.Empty(t, CheckContext(map[string]string{
		appliance.VarContextSize: "4096",
		appliance.VarPassword:    "a-good-password",
		"START_SCRIPT":           "any\ntext 'at all'",
	}))
	mistakes := CheckContext(map[string]string{
		appliance.VarContextSize:     "few",
		appliance.VarPassword:        "hush",
		"ONEAPP_COPILOT_CONTEXTSIZE": "4096",
		"A B":                        "1",
	})
	assert.EqualError(t, errors.Join(mistakes...), `"A B" is not the name of a context variable
ONEAPP_COPILOT_CONTEXTSIZE: the appliance knows no such variable
ONEAPP_COPILOT_CONTEXT_SIZE: must be a whole number from 512 to 131072, got "few"
ONEAPP_COPILOT_PASSWORD: must have 12 to 128 characters, has 4`)
}

func TestContextValues(t *testing.T) {
	values := contextValues(map[string]string{appliance.VarThreads: "3", "SET_HOSTNAME": "mine"})
	assert.Equal(t, "3", values[appliance.VarThreads])
	assert.Equal(t, "mine", values["SET_HOSTNAME"], "the user wins")
	assert.Equal(t, "YES", values["NETWORK"])
	assert.Empty(t, CheckContext(values), "what is made up is valid too")
	other := contextValues(map[string]string{appliance.VarPassword: ""})
	assert.NotEqual(t, values[appliance.VarPassword], other[appliance.VarPassword], "each instance has a password of its own")
	given := contextValues(map[string]string{appliance.VarPassword: "a-good-password"})
	assert.Equal(t, "a-good-password", given[appliance.VarPassword])
}

func TestTheCertificateMustHoldTheDomain(t *testing.T) {
	i := &Instance{values: contextValues(map[string]string{appliance.VarDomain: "copilot.example.org"})}
	assert.Equal(t, []string{"127.0.0.1", "10.0.2.15", "copilot.example.org"}, i.newTarget().Names)
}

func TestLastLinesAreReadable(t *testing.T) {
	console := "old\n[\x1b[0;32m  OK  \x1b[0m] Started \x1b[0;1;39mnginx\x1b[0m.\r\n\x1b[Kfailed\a\r\n\n"
	assert.Equal(t, "    [  OK  ] Started nginx.\n    failed", lastLines(console, 2))
}

func FuzzLastLines(f *testing.F) {
	f.Add("\x1b[0;32m  OK  \x1b[0m\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		assert.NotContains(t, lastLines(text, 3), "\r")
	})
}

// create makes an instance of a guest that runs the given code.
func create(t *testing.T, code ...[]byte) *Instance {
	t.Helper()
	t.Setenv("TMPDIR", t.TempDir())
	name, _ := accelerator.Detect("amd64")
	i, err := Create(t.Context(), Config{
		Image:       qemuvmtest.Image(t, t.TempDir(), code...),
		MemoryMiB:   64,
		CPUs:        1,
		Accelerator: name,
		SerialLog:   filepath.Join(t.TempDir(), "serial.log"),
		BootTimeout: time.Minute,
	})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, i.Discard()) })
	return i
}

func TestTheEndOfTheGuestEndsTheWait(t *testing.T) {
	i := create(t, qemuvmtest.Greet, qemuvmtest.PowerOff, qemuvmtest.Halt)
	require.NoError(t, i.Boot(t.Context()))
	_, err := i.WaitReady(t.Context(), func(string) {})
	require.ErrorContains(t, err, "wait for the system to boot: the guest powered itself off")
	assert.ErrorContains(t, err, "the last lines of its serial console:\n    UP")
}

func TestTheWaitHasADeadline(t *testing.T) {
	i := create(t, qemuvmtest.Halt)
	i.config.BootTimeout = 50 * time.Millisecond
	require.NoError(t, i.Boot(t.Context()))
	_, err := i.WaitReady(t.Context(), func(string) {})
	require.ErrorContains(t, err, "wait for the system to boot: not ready within 50ms")
	assert.ErrorContains(t, err, "its serial console is empty")
}

func TestTheWaitEndsWithItsContext(t *testing.T) {
	i := create(t, qemuvmtest.Halt)
	ctx, cancel := context.WithCancel(t.Context())
	require.NoError(t, i.Boot(ctx))
	cancel()
	_, err := i.WaitReady(ctx, func(string) {})
	assert.ErrorIs(t, err, context.Canceled)
}

func TestAnInstanceIsPoweredOffAndBootedAgain(t *testing.T) {
	i := create(t, qemuvmtest.Greet, qemuvmtest.AwaitButton, qemuvmtest.PowerOff, qemuvmtest.Halt)
	for range 2 {
		require.NoError(t, i.Boot(t.Context()))
		require.NoError(t, i.PowerDown(t.Context()))
		assert.ErrorContains(t, i.ExitError(), "the guest powered itself off")
	}
}

func TestDiscardLeavesTheImageAndNothingElse(t *testing.T) {
	i := create(t, qemuvmtest.Halt)
	before, err := os.ReadFile(i.config.Image)
	require.NoError(t, err)
	require.NoError(t, i.Boot(t.Context()))
	require.NoError(t, i.Discard())
	<-i.Exited()
	after, err := os.ReadFile(i.config.Image)
	require.NoError(t, err)
	assert.Equal(t, before, after)
	left, err := os.ReadDir(os.TempDir())
	require.NoError(t, err)
	assert.Empty(t, left)
}

func TestCreateOfAMissingImageLeavesNothing(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	_, err := Create(t.Context(), Config{Image: filepath.Join(t.TempDir(), "none.qcow2")})
	require.ErrorContains(t, err, "none.qcow2")
	left, err := os.ReadDir(os.TempDir())
	require.NoError(t, err)
	assert.Empty(t, left)
}

func TestAvailableListsEveryMissingProgram(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	err := Available("amd64", firmware.BIOS)
	for _, program := range []string{"qemu-system-x86_64", "qemu-img", "xorriso"} {
		assert.ErrorContains(t, err, program+" is not installed")
	}
}
