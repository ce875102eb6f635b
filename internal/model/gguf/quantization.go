package gguf

import (
	"regexp"
	"strings"
)

// fileTypes are llama.cpp's names for general.file_type (enum llama_ftype in llama.h). Missing
// numbers are types that were removed.
var fileTypes = map[uint64]string{
	0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 7: "Q8_0", 8: "Q5_0", 9: "Q5_1",
	10: "Q2_K", 11: "Q3_K_S", 12: "Q3_K_M", 13: "Q3_K_L", 14: "Q4_K_S", 15: "Q4_K_M",
	16: "Q5_K_S", 17: "Q5_K_M", 18: "Q6_K",
	19: "IQ2_XXS", 20: "IQ2_XS", 21: "Q2_K_S", 22: "IQ3_XS", 23: "IQ3_XXS", 24: "IQ1_S",
	25: "IQ4_NL", 26: "IQ3_S", 27: "IQ3_M", 28: "IQ2_S", 29: "IQ2_M", 30: "IQ4_XS",
	31: "IQ1_M", 32: "BF16", 36: "TQ1_0", 37: "TQ2_0", 38: "MXFP4_MOE",
}

// Quantization returns the usual name of the quantization, such as "Q4_K_M". If the file does
// not state it, the result is the type of most of its bytes.
func (h Header) Quantization() string {
	if name, known := fileTypes[h.FileType]; known && h.FileType != 0 {
		return name
	}
	// 0 is F32, but also the value of an absent file type.
	bytes := map[TensorType]uint64{}
	most := F32
	for _, tensor := range h.Tensors {
		bytes[tensor.Type] += tensor.Size
		if bytes[tensor.Type] > bytes[most] {
			most = tensor.Type
		}
	}
	return most.String()
}

var quantizationInName = regexp.MustCompile(`(?i)(?:^|[._-])((?:UD-)?(?:I?Q[1-8]_[0-9A-Z]+(?:_[A-Z]+)*|TQ[12]_0|BF16|F16|F32|MXFP4(?:_MOE)?))\.gguf$`)

// QuantizationInName returns the quantization at the end of a file name, in the form model
// publishers use ("...-Q4_K_M.gguf"), or "".
func QuantizationInName(name string) string {
	if found := quantizationInName.FindStringSubmatch(name); found != nil {
		return strings.ToUpper(found[1])
	}
	return ""
}
