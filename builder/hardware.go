package builder

import "github.com/slm-copilot/packer-plugin-slm-copilot/internal/vm/firmware"

// The architectures, as uname -m has them.
const (
	x86 = "x86_64"
	arm = "aarch64"
)

// hardware is what depends on the architecture.
type hardware struct {
	// goArch is Go's name of it, which lock files and publishers use.
	goArch string
	// machine and firmware are the defaults: what boots every cloud image.
	machine, firmware string
}

func hardwareOf(architecture string) hardware {
	if architecture == arm {
		return hardware{"arm64", "virt", firmware.UEFI}
	}
	return hardware{"amd64", "pc", firmware.BIOS}
}

// goArch is Go's name of the machine's architecture.
func (c *Config) goArch() string { return hardwareOf(c.Architecture).goArch }
