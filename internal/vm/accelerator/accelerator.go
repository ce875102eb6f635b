// Package accelerator decides how QEMU runs a guest on this host, with hardware
// virtualization or without, and says it in QEMU's words.
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

// Auto is the choice of those who leave it to the host.
const Auto = "auto"

// Settle returns choice, or for Auto what Detect says of a guest of that architecture.
func Settle(choice, arch string) (name, warning string) {
	if choice == Auto {
		return Detect(arch)
	}
	return choice, ""
}

// Detect names the accelerator for a guest of an architecture (Go's name). Without
// hardware virtualization for it that is TCG, and the warning says why and what to do.
func Detect(arch string) (name, warning string) {
	return detect("/", runtime.GOARCH, arch)
}

// CPU is the value of QEMU's -cpu that goes with an accelerator: everything the host
// or the emulation can do, because LocalAI's backend picks its code by CPU features.
func CPU(name string) string {
	if name == KVM {
		return "host"
	}
	return "max"
}

// Option is the value of QEMU's -accel. TCG gets one host thread per virtual CPU.
func Option(name string) string {
	if name == TCG {
		return "tcg,thread=multi"
	}
	return name
}

// detect takes the root of the file system, so that tests can lay out a host.
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

// hardware exists because /dev/kvm alone proves nothing on x86: with kvm_pvm, KVM
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
