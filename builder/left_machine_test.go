package builder

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A plugin that gets SIGKILL cannot end its machine, so the next build does it.
func TestLockEmptyEndsTheMachineOfAKilledBuild(t *testing.T) {
	inWorkplace(t)
	require.NoError(t, os.Mkdir("out.partial", 0o755))
	pidFile, err := filepath.Abs("out.partial/" + pidFileName)
	require.NoError(t, err)
	machine := exec.Command(qemuProgram, "-display", "none", "-nodefaults", "-accel", "tcg", "-pidfile", pidFile)
	require.NoError(t, machine.Start())
	ended := make(chan error, 1)
	go func() { ended <- machine.Wait() }()
	defer func() { _ = machine.Process.Kill() }()
	require.Eventually(t, func() bool {
		text, err := os.ReadFile(pidFile)
		return err == nil && len(text) > 0
	}, waitLimit, pollInterval)

	lock, err := lockEmpty("out.partial")
	require.NoError(t, err)
	defer func() { _ = lock.Release() }()
	select {
	case err := <-ended:
		assert.ErrorContains(t, err, "killed")
	case <-time.After(waitLimit):
		require.Fail(t, "it still runs")
	}
	assert.NoFileExists(t, pidFile)
}

// The process id in the file may have been reused by another program.
func TestLockEmptyEndsNoOtherProcess(t *testing.T) {
	t.Chdir(t.TempDir())
	other := exec.Command("sleep", "60")
	require.NoError(t, other.Start())
	defer func() { _ = other.Process.Kill(); _ = other.Wait() }()
	for _, text := range []string{strconv.Itoa(other.Process.Pid) + "\n", "", "0", "-1", "1", "4194305", "x"} {
		require.NoError(t, os.MkdirAll("out.partial", 0o755))
		require.NoError(t, os.WriteFile("out.partial/"+pidFileName, []byte(text), 0o600))
		lock, err := lockEmpty("out.partial")
		require.NoError(t, err, "%q", text)
		require.NoError(t, lock.Release())
	}
	state, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(other.Process.Pid), "stat"))
	require.NoError(t, err)
	assert.NotContains(t, string(state), ") Z ", "it still runs")
}
