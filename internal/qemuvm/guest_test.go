package qemuvm

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/accelerator"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/qemuimg"
)

const (
	waitLimit    = time.Minute
	pollInterval = 5 * time.Millisecond
)

// Boot sectors, so that a guest is up within a moment. Port 0x3f8 is the serial line;
// 0x600, 0x602 and 0x604 are the ACPI status, enable and control registers where SeaBIOS
// puts them on the machine "pc".
var (
	greet = []byte{
		0xba, 0xf8, 0x03, // mov dx, 0x3f8
		0xb0, 'U', 0xee, // mov al, 'U'; out dx, al
		0xb0, 'P', 0xee,
		0xb0, '\n', 0xee,
	}
	awaitButton = []byte{
		0xba, 0x02, 0x06, // mov dx, 0x602
		0xb8, 0x00, 0x01, // mov ax, power button enable
		0xef,             // out dx, ax
		0xba, 0x00, 0x06, // mov dx, 0x600
		0xed,             // in ax, dx
		0xa9, 0x00, 0x01, // test ax, power button status
		0x74, 0xfa, // jz back to the in
	}
	powerOff = []byte{
		0xba, 0x04, 0x06, // mov dx, 0x604
		0xb8, 0x00, 0x20, // mov ax, sleep enable
		0xef, // out dx, ax
	}
	halt = []byte{0xf4, 0xeb, 0xfd} // hlt; jmp back to it
)

// guest returns the configuration of a guest that runs the given code.
func guest(t testing.TB, code ...[]byte) Config {
	t.Helper()
	// A comma in a path must not end QEMU's option.
	dir := filepath.Join(t.TempDir(), "one,two")
	require.NoError(t, os.Mkdir(dir, 0o700))
	sector := make([]byte, 1<<20)
	copy(sector, bytes.Join(code, nil))
	sector[510], sector[511] = 0x55, 0xaa
	raw := filepath.Join(dir, "disk.raw")
	require.NoError(t, os.WriteFile(raw, sector, 0o600))
	disk := filepath.Join(dir, "disk.qcow2")
	out, err := exec.Command(qemuimg.Program, "convert", "-O", "qcow2", raw, disk).CombinedOutput()
	require.NoError(t, err, "qemu-img is needed (make setup): %s", out)
	name, _ := accelerator.Detect()
	return Config{
		Disk:        disk,
		ContextISO:  raw,
		SerialLog:   filepath.Join(dir, "serial.log"),
		MemoryMiB:   64,
		CPUs:        1,
		Accelerator: name,
		GuestPorts:  []int{80, 443},
	}
}

func awaitSerial(t testing.TB, config Config, want string) {
	t.Helper()
	var log []byte
	require.Eventually(t, func() bool {
		log, _ = os.ReadFile(config.SerialLog)
		return bytes.Contains(log, []byte(want))
	}, 5*waitLimit, pollInterval, "%q does not appear on the serial console", want)
}
