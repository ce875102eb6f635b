package provisioner

import (
	"cmp"
	"debug/elf"
	"fmt"
	"path/filepath"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/filekind"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/model/fit"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/model/gguf"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/model/weights"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/sourceuri"
)

// machines maps Go's architectures to those in an ELF header.
var machines = map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}

// checkProgram rejects an archive, a saved web page or a binary for another architecture
// before it gets to the machine.
func checkProgram(path, arch string) error {
	program, err := elf.Open(path)
	if err != nil {
		return fmt.Errorf("localai.source: %w", filekind.Instead(fmt.Errorf("%s is not a program for Linux: %w", path, err), path, path))
	}
	defer program.Close()
	if wanted := machines[arch]; program.Machine != wanted {
		return fmt.Errorf("localai.source: %s is for %s, the machine needs %s (%s)", path, program.Machine, wanted, arch)
	}
	return nil
}

// checkModel rejects a file that the agent would refuse in the machine, or in a machine of
// this size, takes the quantization from the model unless the template gives one, and computes
// the memory that the model needs.
func (b *bake) checkModel() error {
	path := b.payload.model.Path
	header, err := weights.Read(path)
	if err != nil {
		name := sourceuri.Shown(b.pinned[fieldModel].input.Source)
		return fmt.Errorf("model.source: %w", filekind.Instead(fmt.Errorf("%s: %w", path, err), path, name))
	}
	b.memoryMiB, b.minMemoryMiB = fit.Memory(header, appliance.DefaultContextSize), fit.Least(header)
	if memory := b.facts.memory(); memory > 0 {
		// The smoke test would fail by the same decision of the agent, after the upload.
		if _, err := fit.Decide(memory, header, appliance.DefaultContextSize); err != nil {
			return fmt.Errorf("the machine has %d MiB of memory, in which the model does not start: set memory of the source to %d or more",
				memory>>20, b.minMemoryMiB)
		}
	}
	b.say(fmt.Sprintf("a context of %d tokens of this model wants a machine with %d MiB of memory", appliance.DefaultContextSize, b.memoryMiB))
	if b.config.Model.Quantization == "" {
		name := filepath.Base(sourceuri.Shown(b.pinned[fieldModel].input.Source))
		b.config.Model.Quantization = cmp.Or(gguf.QuantizationInName(name), header.Quantization())
	}
	return nil
}
