// Package qemuvmtest creates disks for tests that need a real guest but no operating system:
// boot sectors of a few instructions, which start in a moment. It is a test double and never
// part of the appliance or the plugin.
package qemuvmtest

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/qemuimg"
)

// Code for a guest, to be combined in Image. Port 0x3f8 is the serial port; 0x600, 0x602 and
// 0x604 are the ACPI status, enable and control registers as SeaBIOS configures them on the
// machine "pc".
var (
	// Greet writes Greeting to the serial port.
	Greet = []byte{
		0xba, 0xf8, 0x03, // mov dx, 0x3f8
		0xb0, 'U', 0xee, // mov al, 'U'; out dx, al
		0xb0, 'P', 0xee,
		0xb0, '\n', 0xee,
	}
	// AwaitButton waits until the power button is pressed.
	AwaitButton = []byte{
		0xba, 0x02, 0x06, // mov dx, 0x602
		0xb8, 0x00, 0x01, // mov ax, power button enable
		0xef,             // out dx, ax
		0xba, 0x00, 0x06, // mov dx, 0x600
		0xed,             // in ax, dx
		0xa9, 0x00, 0x01, // test ax, power button status
		0x74, 0xfa, // jz back to the in
	}
	// PowerOff switches the guest off.
	PowerOff = []byte{
		0xba, 0x04, 0x06, // mov dx, 0x604
		0xb8, 0x00, 0x20, // mov ax, sleep enable
		0xef, // out dx, ax
	}
	// Halt does nothing forever; pressing the power button has no effect.
	Halt = []byte{0xf4, 0xeb, 0xfd} // hlt; jmp back to it
)

// Greeting is what Greet writes.
const Greeting = "UP\n"

// PrintSecondDisk writes a sector of the second disk to the serial port, from an offset to the
// first zero byte. It needs a BIOS.
func PrintSecondDisk(sector, offset uint16) []byte {
	const buffer = 0x8000
	text := buffer + offset
	return []byte{
		0x31, 0xc0, // xor ax, ax
		0x8e, 0xd8, // mov ds, ax
		0x8e, 0xc0, // mov es, ax
		0x8e, 0xd0, // mov ss, ax
		0xbc, 0x00, 0x7c, // mov sp, 0x7c00
		// The disk address packet of an extended read, pushed from its end: sector, buffer
		// 0x8000, one sector.
		0x50, 0x50, 0x50, 0x68, byte(sector), byte(sector >> 8),
		0x50, 0x68, 0x00, 0x80, 0x6a, 0x01, 0x6a, 0x10,
		0x89, 0xe6, // mov si, sp
		0xb4, 0x42, // mov ah, extended read
		0xb2, 0x81, // mov dl, second disk
		0xcd, 0x13, // int 0x13
		0xbe, byte(text), byte(text >> 8), // mov si, text
		0xba, 0xf8, 0x03, // mov dx, 0x3f8
		0xfc,       // cld
		0xac,       // next: lodsb
		0x84, 0xc0, // test al, al
		0x74, 0x03, // jz end
		0xee,       // out dx, al
		0xeb, 0xf8, // jmp next
	}
}

// Image creates a bootable QCOW2 in directory that runs the given code, and returns its path.
func Image(t testing.TB, directory string, code ...[]byte) string {
	t.Helper()
	disk := make([]byte, 1<<20)
	copy(disk, bytes.Join(code, nil))
	disk[510], disk[511] = 0x55, 0xaa
	raw := filepath.Join(directory, "guest.raw")
	require.NoError(t, os.WriteFile(raw, disk, 0o600))
	image := filepath.Join(directory, "guest.qcow2")
	out, err := exec.Command(qemuimg.Program, "convert", "-O", qemuimg.Format, raw, image).CombinedOutput()
	require.NoError(t, err, "qemu-img is needed (make setup): %s", out)
	require.NoError(t, os.Remove(raw))
	return image
}
