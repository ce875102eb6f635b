package qemuvm

import "github.com/slm-copilot/packer-plugin-slm-copilot/internal/hostprogram"

// emulators are QEMU's programs and the packages of them, by Go's name of the guest's
// architecture.
var emulators = map[string]struct {
	program             string
	distributionPackage hostprogram.Package
}{
	"amd64": {"qemu-system-x86_64", hostprogram.Package{Debian: "qemu-system-x86", Fedora: "qemu-system-x86-core"}},
	"arm64": {"qemu-system-aarch64", hostprogram.Package{Debian: "qemu-system-arm", Fedora: "qemu-system-aarch64-core"}},
}

// Program is the emulator for guests of an architecture (Go's name).
func Program(arch string) string {
	return emulators[arch].program
}

// Available says whether QEMU is installed for guests of an architecture (Go's name) and,
// if not, how to get it.
func Available(arch string) error {
	_, err := hostprogram.Find(Program(arch), emulators[arch].distributionPackage)
	return err
}

// machine is the value of -machine. The newest interrupt controller that the host has is
// the only one that works everywhere with KVM on arm64.
func machine(arch string) string {
	if arch == "arm64" {
		return "virt,gic-version=max"
	}
	return "pc"
}

// devices are those that differ: the machine "virt" has neither IDE nor VGA.
func devices(arch string) []string {
	if arch == "arm64" {
		return []string{"-device", "virtio-scsi-pci", "-device", "scsi-cd,drive=context"}
	}
	return []string{"-vga", "std", "-device", "ide-cd,drive=context"}
}
