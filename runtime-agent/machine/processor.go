package machine

import (
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// Processor is what the virtual machine shows of a processor.
type Processor struct {
	// Model is the kernel's name of it, empty if it has none, as on ARM.
	Model string
	// Features are those that the engine has kernels for, slowest first; Hidden are those that
	// processors of this model have, and the virtual machine does not show.
	Features, Hidden []string
	// NoAVX2 is true for x86 without the AVX2 instructions.
	NoAVX2 bool
}

// The features that llama.cpp's CPU backends are chosen by (ggml/src/ggml-cpu/arch/*/cpu-feats.cpp).
const (
	avx2    = "AVX2"
	avx512  = "AVX-512"
	vnni    = "AVX-512 VNNI"
	avxVNNI = "AVX-VNNI"
	bf16    = "AVX-512 BF16"
	amx     = "AMX"
	dotProd = "dotprod"
	i8mm    = "i8mm"
	sve     = "SVE"
	amd     = "AuthenticAMD"
)

// features are by the kernel's flag (arch/x86/include/asm/cpufeatures.h, arch/arm64/kernel/cpuinfo.c).
var features = []struct{ flag, name string }{
	{"avx2", avx2}, {"avx_vnni", avxVNNI}, {"avx512f", avx512}, {"avx512_vnni", vnni}, {"avx512_bf16", bf16}, {"amx_int8", amx},
	{"asimddp", dotProd}, {"i8mm", i8mm}, {"sve", sve},
}

// parseProcessor reads the first processor of /proc/cpuinfo.
func parseProcessor(cpuinfo string) Processor {
	first, _, _ := strings.Cut(cpuinfo, "\n\n")
	fields := map[string]string{}
	for line := range strings.Lines(first) {
		name, value, _ := strings.Cut(line, ":")
		fields[strings.TrimSpace(name)] = strings.TrimSpace(value)
	}
	p := Processor{Model: fields["model name"]}
	flags := strings.Fields(fields["flags"] + " " + fields["Features"])
	for _, feature := range features {
		if slices.Contains(flags, feature.flag) {
			p.Features = append(p.Features, feature.name)
		}
	}
	// Without a list nothing is known to be missing.
	if _, listed := fields["flags"]; listed && runtime.GOARCH == "amd64" {
		p.NoAVX2 = !slices.Contains(p.Features, avx2)
		for _, feature := range featuresOf(fields) {
			if !slices.Contains(p.Features, feature) {
				p.Hidden = append(p.Hidden, feature)
			}
		}
	}
	return p
}

// featuresOf returns what the processors of a family and model have: the named CPU models of QEMU
// keep these numbers too.
//
// Source: arch/x86/include/asm/intel-family.h and arch/x86/kernel/cpu/amd.c of Linux 6.12. Those of
// which some have a feature and others not are left out.
func featuresOf(fields map[string]string) []string {
	family, _ := strconv.Atoi(fields["cpu family"])
	model, _ := strconv.Atoi(fields["model"])
	stepping, _ := strconv.Atoi(fields["stepping"])
	within := func(low, high int) bool { return model >= low && model <= high }
	switch {
	case fields["vendor_id"] == "GenuineIntel" && family == 6:
		switch model {
		case 0x8f, 0xcf, 0xad: // Sapphire, Emerald and Granite Rapids
			return []string{avx2, avx512, vnni, bf16, amx}
		case 0x6a, 0x6c: // Ice Lake
			return []string{avx2, avx512, vnni}
		case 0x55: // Skylake, and from stepping 5 on Cascade and Cooper Lake
			if stepping >= 5 {
				return []string{avx2, avx512, vnni}
			}
			return []string{avx2, avx512}
		case 0x3f, 0x4f, 0x56: // Haswell, Broadwell
			return []string{avx2}
		}
	case fields["vendor_id"] == amd && family == 0x1a: // Zen 5
		return []string{avx2, avx512, vnni, bf16}
	case fields["vendor_id"] == amd && family == 0x19 && (within(0x10, 0x1f) || within(0x60, 0x7f) || within(0xa0, 0xaf)): // Zen 4
		return []string{avx2, avx512, vnni, bf16}
	case fields["vendor_id"] == amd && (family == 0x17 || family == 0x19): // Zen to Zen 3
		return []string{avx2}
	}
	return nil
}
