package fit

import (
	"fmt"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/model/gguf"
)

// Types of tensors, numbered as in the file.
const (
	q4K gguf.TensorType = 12
	q6K gguf.TensorType = 14
)

// shape is what decides the size of a model of the llama family.
type shape struct {
	layers, embedding, heads, headsKV, head, forward, vocabulary, context uint64
	// tied models have no output matrix of their own.
	tied bool
}

// The models are those of their configuration files at Hugging Face.
var (
	// measured is the model of the measurements.
	measured = shape{12, 2048, 16, 4, 128, 8192, 32000, 32768, false}
	llama1B  = shape{16, 2048, 32, 8, 64, 8192, 128256, 131072, true}
	qwen3B   = shape{36, 2048, 16, 2, 128, 11008, 151936, 32768, true}
	llama8B  = shape{32, 4096, 32, 8, 128, 14336, 128256, 131072, false}
	qwen14B  = shape{48, 5120, 40, 8, 128, 13824, 152064, 32768, false}
	devstral = shape{40, 5120, 32, 8, 128, 32768, 131072, 393216, false}
)

var models = []struct {
	name  string
	shape shape
}{{"1B", llama1B}, {"3B", qwen3B}, {"8B", llama8B}, {"14B", qwen14B}, {"24B", devstral}}

// header is that of the model in Q4_K_M, with llama.cpp's rule for which matrices have
// 6 bits.
func (s shape) header() gguf.Header {
	h := gguf.Header{
		Architecture: "llama", ContextLength: s.context, EmbeddingLength: s.embedding, BlockCount: s.layers,
		Numbers: map[string]uint64{
			"attention.head_count": s.heads, "attention.head_count_kv": s.headsKV,
			"attention.key_length": s.head, "attention.value_length": s.head,
		},
	}
	add := func(name string, kind gguf.TensorType, width, height uint64) {
		bytes := map[gguf.TensorType]uint64{q4K: 144, q6K: 210}[kind]
		h.Tensors = append(h.Tensors, gguf.Tensor{
			Name: name, Type: kind, Dimensions: []uint64{width, height}, Size: width * height / 256 * bytes,
		})
	}
	if s.tied {
		add("token_embd.weight", q6K, s.embedding, s.vocabulary)
	} else {
		add("token_embd.weight", q4K, s.embedding, s.vocabulary)
		add("output.weight", q6K, s.embedding, s.vocabulary)
	}
	for i := range s.layers {
		block := func(name string) string { return fmt.Sprintf("blk.%d.%s.weight", i, name) }
		fine := q4K
		if i < s.layers/8 || i >= 7*s.layers/8 || (i-s.layers/8)%3 == 2 {
			fine = q6K
		}
		add(block("attn_q"), q4K, s.embedding, s.heads*s.head)
		add(block("attn_k"), q4K, s.embedding, s.headsKV*s.head)
		add(block("attn_v"), fine, s.embedding, s.headsKV*s.head)
		add(block("attn_output"), q4K, s.heads*s.head, s.embedding)
		add(block("ffn_gate"), q4K, s.embedding, s.forward)
		add(block("ffn_up"), q4K, s.embedding, s.forward)
		add(block("ffn_down"), fine, s.forward, s.embedding)
	}
	return h
}

// guest gives the memory a guest sees of its MEMORY (measured: 98.1 %).
func guest(gibibytes uint64) uint64 { return gibibytes << 30 / 100 * 98 }
