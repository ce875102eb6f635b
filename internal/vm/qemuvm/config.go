package qemuvm

import (
	"fmt"
	"strings"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/vm/accelerator"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/vm/firmware"
)

// The guest's addresses in QEMU's user-mode network, which are fixed (QEMU manual, "Network
// emulation"). The MAC is the one OpenNebula would derive from the IP address.
const (
	GuestMAC        = "02:00:0a:00:02:0f"
	GuestAddress    = "10.0.2.15"
	GuestNetwork    = "10.0.2.0"
	GuestMask       = "255.255.255.0"
	GuestGateway    = "10.0.2.2"
	GuestNameserver = "10.0.2.3"
)

// Config describes one guest.
type Config struct {
	// Arch is the guest's GOARCH value: "amd64" (the default) or "arm64".
	Arch string
	// UEFI is the firmware: its code, and this guest's own copy of the variables. Without it
	// the guest is a PC with a BIOS.
	UEFI firmware.Files
	// Disk is the qcow2 file the guest boots from and writes to.
	Disk string
	// ModelDisk is a qcow2 file attached read-only as the second disk; empty for none.
	ModelDisk string
	// ContextISO is the CONTEXT CD-ROM.
	ContextISO string
	// SerialLog receives the guest's serial console. It is appended to, so that several boots
	// of one disk can share it.
	SerialLog string
	MemoryMiB int
	CPUs      int
	// Accelerator is accelerator.KVM or accelerator.TCG.
	Accelerator string
	// GuestPorts are the guest's TCP ports to forward from this host's loopback address.
	GuestPorts []int
}

// arguments returns QEMU's command line. The monitor is the socket passed as descriptor 3.
func (c Config) arguments() []string {
	arguments := []string{
		"-no-user-config", "-nodefaults",
		"-machine", machine(c.Arch),
		"-accel", accelerator.Option(c.Accelerator),
		"-cpu", accelerator.CPU(c.Accelerator),
		"-smp", fmt.Sprint(c.CPUs),
		"-m", fmt.Sprintf("%dM", c.MemoryMiB),
		"-display", "none",
		"-chardev", "socket,id=monitor,fd=3",
		"-mon", "chardev=monitor,mode=control",
		"-chardev", "file,id=serial,append=on,path=" + optionValue(c.SerialLog),
		"-serial", "chardev:serial",
		// The disk is discarded after the run, so syncing it is pointless.
		"-drive", "if=none,id=disk,format=qcow2,cache=unsafe,discard=unmap,file=" + optionValue(c.Disk),
		"-device", "virtio-blk-pci,drive=disk,bootindex=0",
		"-drive", "if=none,id=context,media=cdrom,format=raw,readonly=on,file=" + optionValue(c.ContextISO),
		"-netdev", c.network(),
		"-device", "virtio-net-pci,netdev=network,mac=" + GuestMAC,
		"-device", "virtio-rng-pci",
	}
	arguments = append(arguments, devices(c.Arch)...)
	if c.UEFI != (firmware.Files{}) {
		arguments = append(arguments,
			"-drive", "if=pflash,unit=0,format=raw,readonly=on,file="+optionValue(c.UEFI.Code),
			"-drive", "if=pflash,unit=1,format=raw,file="+optionValue(c.UEFI.Vars))
	}
	if c.ModelDisk != "" {
		arguments = append(arguments,
			"-drive", "if=none,id=model,format=qcow2,readonly=on,file="+optionValue(c.ModelDisk),
			"-device", "virtio-blk-pci,drive=model")
	}
	return arguments
}

func (c Config) network() string {
	network := "user,id=network"
	for _, port := range c.GuestPorts {
		network += fmt.Sprintf(",hostfwd=tcp:127.0.0.1:0-:%d", port)
	}
	return network
}

// optionValue doubles commas, so that one in a path does not end QEMU's option.
func optionValue(path string) string {
	return strings.ReplaceAll(path, ",", ",,")
}
