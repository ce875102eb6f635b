// Package accelerator decides whether QEMU runs a guest on this host with hardware
// virtualization, and returns the matching QEMU options.
package accelerator

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
)

// The accelerators in use, as QEMU spells them.
const (
	KVM = "kvm"
	TCG = "tcg"
)

// Auto lets the host decide.
const Auto = "auto"

// Settle returns choice or, for Auto, what Detect returns for that architecture.
func Settle(choice, arch string) (name, warning string) {
	if choice == Auto {
		return Detect(arch)
	}
	return choice, ""
}

// Detect returns the accelerator for a guest of an architecture (a GOARCH value). Without
// hardware virtualization for it that is TCG, and the warning says why and what to do.
func Detect(arch string) (name, warning string) {
	return detect("/", runtime.GOARCH, arch)
}

// CPU returns the value of QEMU's -cpu for an accelerator: every feature of the host or the
// emulator, because LocalAI's backend selects its code by CPU features.
func CPU(name string) string {
	if name == KVM {
		return "host"
	}
	return "max"
}

// Option returns the value of QEMU's -accel. TCG gets one host thread per virtual CPU.
func Option(name string) string {
	if name == TCG {
		return "tcg,thread=multi"
	}
	return name
}

// detect takes the root of the file system, so that tests can simulate a host.
func detect(root, host, guest string) (name, warning string) {
	const advice = "the guest is emulated (TCG), which is 10 to 30 times slower"
	if host != guest {
		return TCG, fmt.Sprintf("this host is %s, the guest %s: %s; build it on a host of its own kind", host, guest, advice)
	}
	if !hardware(root, host) {
		return TCG, "this host has no hardware virtualization (kvm_intel or kvm_amd is not loaded): " + advice +
			"; enable VT-x or AMD-V in the firmware, or nested virtualization on the host of this machine"
	}
	device, err := os.OpenFile(filepath.Join(root, "dev/kvm"), os.O_RDWR, 0)
	if err != nil {
		return TCG, fmt.Sprintf("hardware virtualization cannot be used (%v): %s; add this user to the group kvm", err, advice)
	}
	_ = device.Close()
	return KVM, ""
}

// hardware checks more than /dev/kvm, which alone proves nothing on x86: with kvm_pvm, KVM
// without VT-x or AMD-V, the device opens and guests hang.
func hardware(root, arch string) bool {
	if arch == "arm64" {
		return true
	}
	for _, module := range []string{"kvm_intel", "kvm_amd"} {
		if _, err := os.Stat(filepath.Join(root, "sys/module", module)); err == nil {
			return true
		}
	}
	return false
}
