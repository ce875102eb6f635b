package qemuvm

import "github.com/slm-copilot/packer-plugin-slm-copilot/internal/hostprogram"

// emulators are QEMU's programs and their packages, keyed by the guest's GOARCH value.
var emulators = map[string]struct {
	program             string
	distributionPackage hostprogram.Package
}{
	"amd64": {"qemu-system-x86_64", hostprogram.Package{Debian: "qemu-system-x86", Fedora: "qemu-system-x86-core"}},
	"arm64": {"qemu-system-aarch64", hostprogram.Package{Debian: "qemu-system-arm", Fedora: "qemu-system-aarch64-core"}},
}

// Program returns the emulator for guests of an architecture (a GOARCH value).
func Program(arch string) string {
	return emulators[arch].program
}

// Available returns nil if QEMU is installed for guests of an architecture (a GOARCH value),
// otherwise an error that says how to get it.
func Available(arch string) error {
	_, err := hostprogram.Find(Program(arch), emulators[arch].distributionPackage)
	return err
}

// machine returns the value of -machine. On arm64 the newest interrupt controller that the
// host has is the only choice that works everywhere with KVM.
func machine(arch string) string {
	if arch == "arm64" {
		return "virt,gic-version=max"
	}
	return "pc"
}

// devices returns the devices that differ by architecture: the machine "virt" has neither IDE
// nor VGA.
func devices(arch string) []string {
	if arch == "arm64" {
		return []string{"-device", "virtio-scsi-pci", "-device", "scsi-cd,drive=context"}
	}
	return []string{"-vga", "std", "-device", "ide-cd,drive=context"}
}
