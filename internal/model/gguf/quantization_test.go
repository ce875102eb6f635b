package gguf

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestQuantization(t *testing.T) {
	const q4K, q6K TensorType = 12, 14
	tensors := []Tensor{{Type: F32, Size: 10}, {Type: q4K, Size: 100}, {Type: q6K, Size: 50}, {Type: q4K, Size: 1}}
	for want, header := range map[string]Header{
		"Q4_K_M": {FileType: 15, Tensors: tensors},
		"Q4_K":   {Tensors: tensors},
		"Q6_K":   {FileType: 4711, Tensors: tensors[2:3]},
		"F32":    {Tensors: tensors[:1]},
		"BF16":   {FileType: 32},
	} {
		assert.Equal(t, want, header.Quantization())
	}
}

func TestQuantizationInName(t *testing.T) {
	for name, want := range map[string]string{
		"Devstral-Small-2-24B-Instruct-2512-Q4_K_M.gguf":     "Q4_K_M",
		"Devstral-Small-2-24B-Instruct-2512-UD-Q4_K_XL.gguf": "UD-Q4_K_XL",
		"mistralai_Devstral-Small-2-24B-IQ2_XXS.gguf":        "IQ2_XXS",
		"model.q8_0.gguf":        "Q8_0",
		"qwen-7b-f16.gguf":       "F16",
		"Q4_0_4_4.gguf":          "",
		"model.gguf":             "",
		"deadbeef":               "",
		"Q4_K_M-model.gguf":      "",
		"gpt-oss-20b-MXFP4.gguf": "MXFP4",
	} {
		assert.Equal(t, want, QuantizationInName(name), name)
	}
}
