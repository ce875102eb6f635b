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

// describeModel rejects a file that the agent would refuse in the machine, takes the quantization
// from the model unless the template gives one, and computes the memory that the model needs.
func (b *bake) describeModel(m *bakedModel) error {
	path, name := m.file.Path, sourceuri.Shown(b.pinned[m.field].input.Source)
	header, err := weights.Read(path)
	if err != nil {
		return fmt.Errorf("%s.source: %w", m.field, filekind.Instead(fmt.Errorf("%s: %w", path, err), path, name))
	}
	m.described = appliance.BakedModel{
		ModelID:      m.ID,
		ModelName:    m.Name,
		Quantization: cmp.Or(m.Quantization, gguf.QuantizationInName(filepath.Base(name)), header.Quantization()),
		Sampling:     b.sampling(m),
		MemoryMiB:    fit.Memory(header, appliance.DefaultContextSize),
		MinMemoryMiB: fit.Least(header),
	}
	b.say(fmt.Sprintf("a context of %d tokens of %s wants a machine with %d MiB of memory", appliance.DefaultContextSize, m.ID, m.described.MemoryMiB))
	if !m.isDefault() {
		m.described.File = appliance.OtherModelFile(m.ID)
		return nil
	}
	if memory := b.facts.memory(); memory > 0 {
		// The smoke test would fail by the same decision of the agent, after the upload.
		if _, err := fit.Decide(memory, header, appliance.DefaultContextSize); err != nil {
			return fmt.Errorf("the machine has %d MiB of memory, in which the model does not start: set memory of the source to %d or more",
				memory>>20, m.described.MinMemoryMiB)
		}
	}
	return nil
}
