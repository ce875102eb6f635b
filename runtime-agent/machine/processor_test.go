package machine

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
)

func cpuinfo(vendor string, family, model, stepping int, name, flags string) string {
	return fmt.Sprintf("processor\t: 0\nvendor_id\t: %s\ncpu family\t: %d\nmodel\t\t: %d\nmodel name\t: %s\nstepping\t: %d\nflags\t\t: %s\nvmx flags\t: avx2\n\n"+
		"processor\t: 1\nflags\t\t: fpu\n", vendor, family, model, name, stepping, flags)
}

func TestProcessors(t *testing.T) {
	const all = "fpu sse2 avx avx2 avx512f avx512_vnni avx512_bf16 amx_tile amx_int8"
	for name, tt := range map[string]struct {
		cpuinfo string
		want    Processor
	}{
		"the host's own": {cpuinfo("GenuineIntel", 6, 143, 8, "Intel(R) Xeon(R) Platinum 8481C", all),
			Processor{Model: "Intel(R) Xeon(R) Platinum 8481C", Features: []string{avx2, avx512, vnni, bf16, amx}}},
		"AMX kept back": {cpuinfo("GenuineIntel", 6, 143, 8, "Intel Xeon Processor (SapphireRapids)", "avx2 avx512f avx512_vnni avx512_bf16"),
			Processor{Model: "Intel Xeon Processor (SapphireRapids)", Features: []string{avx2, avx512, vnni, bf16}, Hidden: []string{amx}}},
		"Skylake":              {cpuinfo("GenuineIntel", 6, 85, 4, "S", "avx2 avx512f"), Processor{Model: "S", Features: []string{avx2, avx512}}},
		"Cascade Lake":         {cpuinfo("GenuineIntel", 6, 85, 7, "C", "avx2 avx512f"), Processor{Model: "C", Features: []string{avx2, avx512}, Hidden: []string{vnni}}},
		"Zen 4":                {cpuinfo("AuthenticAMD", 25, 17, 1, "AMD EPYC-Genoa Processor", "avx2"), Processor{Model: "AMD EPYC-Genoa Processor", Features: []string{avx2}, Hidden: []string{avx512, vnni, bf16}}},
		"Zen 3":                {cpuinfo("AuthenticAMD", 25, 1, 1, "M", "avx2"), Processor{Model: "M", Features: []string{avx2}}},
		"Zen 2":                {cpuinfo("AuthenticAMD", 23, 49, 0, "R", "avx"), Processor{Model: "R", Hidden: []string{avx2}, NoAVX2: true}},
		"the least":            {cpuinfo("AuthenticAMD", 15, 107, 1, "QEMU Virtual CPU version 2.5+", "fpu sse2"), Processor{Model: "QEMU Virtual CPU version 2.5+", NoAVX2: true}},
		"a client's":           {cpuinfo("GenuineIntel", 6, 151, 2, "A", "avx2 avx_vnni"), Processor{Model: "A", Features: []string{avx2, avxVNNI}}},
		"part of another name": {cpuinfo("x", 1, 1, 1, "X", "notavx2 avx2x"), Processor{Model: "X", NoAVX2: true}},
		"ARM":                  {"processor\t: 0\nFeatures\t: fp asimd asimddp sve i8mm\n", Processor{Features: []string{dotProd, i8mm, sve}}},
		"nothing":              {"", Processor{}},
	} {
		assert.Equal(t, tt.want, parseProcessor(tt.cpuinfo), name)
	}
}

func TestHiddenFeaturesAreAWarning(t *testing.T) {
	facts := Facts{CPUs: 4, Processor: Processor{Model: "A", Features: []string{avx2}, Hidden: []string{avx512, vnni}}}
	warnings := facts.Warnings(4)
	assert.Len(t, warnings, 1)
	assert.Contains(t, warnings[0], "the processor, A, has AVX-512, AVX-512 VNNI, which the virtual machine does not show")
	assert.Contains(t, warnings[0], `CPU_MODEL=[MODEL="host-passthrough"]`)
}
