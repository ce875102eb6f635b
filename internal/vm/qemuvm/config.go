package qemuvm

import (
	"fmt"
	"strings"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/vm/accelerator"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/vm/firmware"
)

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
	// Arch is Go's name of the guest's architecture: "amd64" unless given, or "arm64".
	Arch string
	// UEFI is the firmware: its code, and a copy of the variables that is this guest's own.
	// Without it the guest is a PC with a BIOS.
	UEFI firmware.Files
	// Disk is the qcow2 file it boots from and writes to.
	Disk string
	// ModelDisk is a qcow2 file it reads as its second disk; empty for none.
	ModelDisk string
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
		// The disk is thrown away after the run, so nothing is gained by syncing it.
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

// optionValue keeps a comma in a path from ending QEMU's option.
func optionValue(path string) string {
	return strings.ReplaceAll(path, ",", ",,")
}
