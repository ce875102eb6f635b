package qemuvm

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/qemuvmtest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/vm/accelerator"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/vm/contextiso"
)

const (
	waitLimit = time.Minute
	// bootLimit is generous for a boot sector on a busy host without virtualization.
	bootLimit    = 2 * time.Minute
	pollInterval = 5 * time.Millisecond
)

// guest returns the configuration of a guest that runs the given code.
func guest(t testing.TB, code ...[]byte) Config {
	t.Helper()
	// A comma in a path must not end QEMU's option.
	dir := filepath.Join(t.TempDir(), "one,two")
	require.NoError(t, os.Mkdir(dir, 0o700))
	iso := filepath.Join(dir, "context.iso")
	require.NoError(t, contextiso.Write(t.Context(), iso, nil, nil))
	name, _ := accelerator.Detect("amd64")
	return Config{
		Disk:        qemuvmtest.Image(t, dir, code...),
		ContextISO:  iso,
		SerialLog:   filepath.Join(dir, "serial.log"),
		MemoryMiB:   64,
		CPUs:        1,
		Accelerator: name,
		GuestPorts:  []int{80, 443},
	}
}

func awaitSerial(t testing.TB, config Config, want string) {
	t.Helper()
	t.Cleanup(func() {
		if t.Failed() {
			log, _ := os.ReadFile(config.SerialLog)
			t.Logf("serial console: %s", log[max(0, len(log)-4096):])
		}
	})
	require.Eventually(t, func() bool {
		log, _ := os.ReadFile(config.SerialLog)
		return bytes.Contains(log, []byte(want))
	}, bootLimit, pollInterval, "%q does not appear on the serial console", want)
}
