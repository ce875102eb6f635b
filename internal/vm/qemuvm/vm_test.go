package qemuvm

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/qemuvmtest"
)

func TestMain(m *testing.M) {
	if err := Available("amd64"); err != nil {
		fmt.Fprintf(os.Stderr, "%v: run make setup\n", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func start(t *testing.T, ctx context.Context, config Config) *VM {
	t.Helper()
	vm, err := Start(ctx, config)
	require.NoError(t, err)
	t.Cleanup(vm.Kill)
	return vm
}

func TestPowerDownWaitsForTheGuest(t *testing.T) {
	config := guest(t, qemuvmtest.Greet, qemuvmtest.AwaitButton, qemuvmtest.PowerOff, qemuvmtest.Halt)
	vm := start(t, t.Context(), config)
	awaitSerial(t, config, "UP\n")
	require.NoError(t, vm.PowerDown(t.Context()))
	assert.EqualError(t, vm.Reason(), "the guest powered itself off")
}

func TestTheBootsOfADiskShareOneSerialLog(t *testing.T) {
	config := guest(t, qemuvmtest.Greet, qemuvmtest.AwaitButton, qemuvmtest.PowerOff, qemuvmtest.Halt)
	for _, want := range []string{"UP\n", "UP\nUP\n"} {
		vm := start(t, t.Context(), config)
		awaitSerial(t, config, want)
		require.NoError(t, vm.PowerDown(t.Context()))
	}
}

func TestPowerDownReportsAGuestThatIgnoresTheButton(t *testing.T) {
	config := guest(t, qemuvmtest.Greet, qemuvmtest.Halt)
	vm := start(t, t.Context(), config)
	awaitSerial(t, config, "UP\n")
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	err := vm.PowerDown(ctx)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	select {
	case <-vm.Exited():
		t.Fatal("the guest was ended, though nobody asked for that")
	default:
	}
	vm.Kill()
	assert.ErrorContains(t, vm.Reason(), "killed")
}

func TestPowerDownReportsAGuestThatIsKilledInstead(t *testing.T) {
	config := guest(t, qemuvmtest.Greet, qemuvmtest.Halt)
	vm := start(t, t.Context(), config)
	awaitSerial(t, config, "UP\n")
	vm.Kill()
	assert.ErrorContains(t, vm.PowerDown(t.Context()), "the guest did not shut down cleanly: QEMU ended")
}

func TestAGuestThatPowersItselfOffIsNoticed(t *testing.T) {
	vm := start(t, t.Context(), guest(t, qemuvmtest.Greet, qemuvmtest.PowerOff, qemuvmtest.Halt))
	select {
	case <-vm.Exited():
	case <-time.After(waitLimit):
		t.Fatal("the end of the guest was not noticed")
	}
	assert.EqualError(t, vm.Reason(), "the guest powered itself off")
}

func TestLaunchErrorsCarryTheWordsOfQEMU(t *testing.T) {
	config := guest(t, qemuvmtest.Halt)
	config.Disk += ".missing"
	_, err := Start(t.Context(), config)
	require.ErrorContains(t, err, config.Disk)
	assert.ErrorContains(t, err, "QEMU ended (exit status 1)")
	assert.ErrorContains(t, err, "No such file or directory")
}

func TestAMissingQEMUIsNamed(t *testing.T) {
	config := guest(t, qemuvmtest.Halt)
	t.Setenv("PATH", t.TempDir())
	_, err := Start(t.Context(), config)
	assert.ErrorContains(t, err, "start qemu-system-x86_64")
}

func TestTheEndOfTheContextEndsTheGuest(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	config := guest(t, qemuvmtest.Greet, qemuvmtest.Halt)
	vm := start(t, ctx, config)
	awaitSerial(t, config, "UP\n")
	cancel()
	assert.ErrorContains(t, vm.Reason(), "killed")
}

func TestForwardedPortsDoNotCollide(t *testing.T) {
	first := start(t, t.Context(), guest(t, qemuvmtest.Halt))
	second := start(t, t.Context(), guest(t, qemuvmtest.Halt))
	seen := map[string]bool{}
	for _, address := range []string{first.Address(80), first.Address(443), second.Address(80), second.Address(443)} {
		conn, err := net.Dial("tcp", address)
		require.NoError(t, err)
		require.NoError(t, conn.Close())
		seen[address] = true
	}
	assert.Len(t, seen, 4)
}

// The owner is this test binary, run again; it is killed so hard that it can clean up
// nothing.
func TestNoGuestOutlivesAKilledOwner(t *testing.T) {
	if os.Getenv("QEMUVM_TEST_OWNER") != "" {
		own(t)
	}
	owner := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	// What it cannot remove goes with our own directory.
	owner.Env = append(os.Environ(), "QEMUVM_TEST_OWNER=1", "TMPDIR="+t.TempDir())
	stdout, err := owner.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, owner.Start())
	t.Cleanup(func() { _ = owner.Process.Kill() })
	child, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err)
	stat := filepath.Join("/proc", strings.TrimSpace(child), "stat")
	require.FileExists(t, stat)

	require.NoError(t, owner.Process.Kill())
	_ = owner.Wait()
	require.Eventually(t, func() bool {
		text, err := os.ReadFile(stat)
		return os.IsNotExist(err) || strings.Contains(string(text), ") Z ")
	}, waitLimit, pollInterval, "QEMU still runs")
}

// own starts a guest, prints the process id of its QEMU and waits to be killed.
func own(t *testing.T) {
	_ = start(t, t.Context(), guest(t, qemuvmtest.Halt))
	lists, err := filepath.Glob("/proc/self/task/*/children")
	require.NoError(t, err)
	for _, list := range lists {
		children, err := os.ReadFile(list)
		require.NoError(t, err)
		if len(children) > 0 {
			fmt.Println(strings.TrimSpace(string(children)))
		}
	}
	select {}
}
