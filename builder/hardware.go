package builder

import "github.com/slm-copilot/packer-plugin-slm-copilot/internal/vm/firmware"

// The architectures, named as uname -m prints them.
const (
	x86 = "x86_64"
	arm = "aarch64"
)

// hardware holds the settings that depend on the architecture.
type hardware struct {
	// goArch is the name that Go, lock files and the publishers of images use.
	goArch string
	// machine and firmware are the defaults, which boot every cloud image.
	machine, firmware string
}

func hardwareOf(architecture string) hardware {
	if architecture == arm {
		return hardware{"arm64", "virt", firmware.UEFI}
	}
	return hardware{"amd64", "pc", firmware.BIOS}
}

// goArch returns Go's name of the machine's architecture.
func (c *Config) goArch() string { return hardwareOf(c.Architecture).goArch }
