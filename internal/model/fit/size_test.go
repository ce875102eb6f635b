package fit

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/model/gguf"
)

func TestBytesPerToken(t *testing.T) {
	for name, tt := range map[string]struct {
		shape   shape
		f16, q8 uint64
	}{
		"1B":  {llama1B, 32 << 10, 17 << 10},
		"3B":  {qwen3B, 36 << 10, 19584},
		"8B":  {llama8B, 128 << 10, 68 << 10},
		"14B": {qwen14B, 192 << 10, 102 << 10},
		"24B": {devstral, 160 << 10, 85 << 10},
	} {
		s := sizes(tt.shape.header())
		assert.Equal(t, 1024*tt.f16, s.kv(1024, f16), name)
		assert.Equal(t, 1024*tt.q8, s.kv(1024, q8), name)
		assert.Equal(t, 1280*tt.f16, s.kv(1025, f16), "%s: in steps of 256", name)
		assert.Greater(t, s.state(1024, f16), s.kv(1024, f16), name)
		assert.Zero(t, s.state(1024, f16)%mib, name)
	}
}

// Keys and values may differ in size.
func TestKeysAndValues(t *testing.T) {
	h := devstral.header()
	h.Numbers["attention.key_length"] = 192
	assert.Equal(t, uint64(256*40*8*(192+128)*2), sizes(h).kv(256, f16))
}

// The measured model took 504 MiB, of which 334 were copied; what had to stay in memory
// with a KV cache and buffers was 202 MiB more.
func TestTheMeasuredModel(t *testing.T) {
	h := measured.header()
	var copied uint64
	for _, tensor := range h.Tensors {
		if tensor.Type == q4K && strings.HasPrefix(tensor.Name, "blk.") {
			copied += tensor.Size
		}
	}
	assert.Equal(t, uint64(334), copied/mib)
	assert.Equal(t, uint64(504), weights(h)/mib)
	assert.Equal(t, uint64(110), Batch*row(h)/mib)
}

// Sizes of the files in Q4_K_M, in GB: Hugging Face.
func TestWeights(t *testing.T) {
	for name, tt := range map[string]struct {
		shape shape
		want  float64
	}{
		"8B": {llama8B, 4.92}, "14B": {qwen14B, 8.99}, "24B": {devstral, 14.33},
	} {
		assert.InEpsilon(t, tt.want*1e9, weights(tt.shape.header()), 0.01, name)
	}
}

func TestSharedEmbeddingsCountTwice(t *testing.T) {
	h := gguf.Header{Tensors: []gguf.Tensor{
		{Name: "token_embd.weight", Dimensions: []uint64{64, 100}, Size: 7},
		{Name: "blk.0.ffn_down_exps.weight", Dimensions: []uint64{300, 64, 1 << 20}, Size: 5},
		{Name: "rope_freqs.weight", Dimensions: []uint64{1 << 20}, Size: 1},
	}}
	assert.Equal(t, uint64(7+7+5+1), weights(h))
	assert.Equal(t, uint64(4*(100+3*300)), row(h), "experts are not computed all at once")
	h.Tensors = append(h.Tensors, gguf.Tensor{Name: "output.weight", Dimensions: []uint64{64, 100}, Size: 9})
	assert.Equal(t, uint64(7+5+1+9), weights(h))
}
