package qemuvm

import (
	"fmt"
	"os/exec"
	"strings"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/accelerator"
)

// Program is the emulator; the appliance is built for amd64.
const Program = "qemu-system-x86_64"

// The guest's place in QEMU's user-mode network, whose addresses are fixed (QEMU manual,
// "Network emulation"). The MAC is the one OpenNebula would derive from the address.
const (
	GuestMAC        = "02:00:0a:00:02:0f"
	GuestAddress    = "10.0.2.15"
	GuestNetwork    = "10.0.2.0"
	GuestMask       = "255.255.255.0"
	GuestGateway    = "10.0.2.2"
	GuestNameserver = "10.0.2.3"
)

// Config is one guest.
type Config struct {
	// Disk is the qcow2 file it boots from and writes to.
	Disk string
	// ContextISO is the CONTEXT CD-ROM.
	ContextISO string
	// SerialLog receives what the guest writes to its serial console. It is appended
	// to, so that the boots of one disk can share it.
	SerialLog string
	MemoryMiB int
	CPUs      int
	// Accelerator is accelerator.KVM or accelerator.TCG.
	Accelerator string
	// GuestPorts are the TCP ports that are forwarded from this host's loopback address.
	GuestPorts []int
}

// arguments is QEMU's command line. The monitor is the socket passed as descriptor 3.
func (c Config) arguments() []string {
	return []string{
		"-no-user-config", "-nodefaults",
		"-machine", "pc",
		"-accel", accelerator.Option(c.Accelerator),
		"-cpu", accelerator.CPU(c.Accelerator),
		"-smp", fmt.Sprint(c.CPUs),
		"-m", fmt.Sprintf("%dM", c.MemoryMiB),
		"-display", "none",
		"-vga", "std",
		"-chardev", "socket,id=monitor,fd=3",
		"-mon", "chardev=monitor,mode=control",
		"-chardev", "file,id=serial,append=on,path=" + optionValue(c.SerialLog),
		"-serial", "chardev:serial",
		// The disk is thrown away after the run, so nothing is gained by syncing it.
		"-drive", "if=virtio,format=qcow2,cache=unsafe,discard=unmap,file=" + optionValue(c.Disk),
		"-drive", "if=ide,media=cdrom,format=raw,readonly=on,file=" + optionValue(c.ContextISO),
		"-netdev", c.network(),
		"-device", "virtio-net-pci,netdev=network,mac=" + GuestMAC,
		"-device", "virtio-rng-pci",
	}
}

func (c Config) network() string {
	network := "user,id=network"
	for _, port := range c.GuestPorts {
		network += fmt.Sprintf(",hostfwd=tcp:127.0.0.1:0-:%d", port)
	}
	return network
}

// optionValue keeps a comma in a path from ending QEMU's option.
func optionValue(path string) string {
	return strings.ReplaceAll(path, ",", ",,")
}

// Available says whether QEMU is installed and, if not, how to get it.
func Available() error {
	if _, err := exec.LookPath(Program); err != nil {
		return fmt.Errorf("%s is not installed: install the package qemu-system-x86", Program)
	}
	return nil
}
