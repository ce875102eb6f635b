package builder

import (
	"cmp"
	"fmt"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/model/fit"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/model/gguf"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/vm/qemuvm"
)

// defaultMemory is in MiB, for a machine whose model the builder does not know, and the least
// that it gets by default: for a system that installs packages.
const defaultMemory = 4096

// checkMemory compares the memory of the machine with the size of the weights that the lock
// file tells, and with this host, before anything is fetched.
func (b *build) checkMemory() error {
	wanted := b.memoryMiB
	if b.config.Model != nil {
		input, err := b.config.pinModel(b.config.models()[0])
		if err != nil {
			return err
		}
		weights := int(input.Size >> 20)
		if b.memoryMiB != 0 && b.memoryMiB < weights {
			return fmt.Errorf("memory: %d MiB are too few for the model, whose weights alone are %d MiB; leave memory out for what it wants",
				b.memoryMiB, weights)
		}
		wanted = cmp.Or(b.memoryMiB, weights)
	}
	return checkHostMemory(wanted)
}

// settleMemory gives the machine what the model wants, unless the template says how much.
func (b *build) settleMemory(model gguf.Header) error {
	wants, least := max(fit.Memory(model, appliance.DefaultContextSize), defaultMemory), fit.Least(model)
	if b.memoryMiB == 0 {
		b.memoryMiB = wants
		b.ui.Say(fmt.Sprintf("The machine gets %d MiB of memory, which the model wants", wants))
		if err := checkHostMemory(wants); err != nil {
			return fmt.Errorf("%w; the model starts with %d MiB, and a shorter context: set memory to that or more", err, least)
		}
		return nil
	}
	if b.memoryMiB < least {
		return fmt.Errorf("memory: %d MiB are too few for the model to start, it needs %d; leave memory out for the %d that it wants",
			b.memoryMiB, least, wants)
	}
	return nil
}

func checkHostMemory(mebibytes int) error {
	if err := qemuvm.CheckMemory(mebibytes); err != nil {
		return fmt.Errorf("memory: %w", err)
	}
	return nil
}
