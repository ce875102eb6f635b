package catalogue

import (
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/model/fit"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/model/gguf"
)

// shape is what decides the memory, besides the size of the file. The numbers are those that
// llama.cpp's converter writes into the header of a file, from the model's config.json.
type shape struct {
	layers, embedding, vocabulary uint64
	// widest is the largest dimension of a matrix of a layer that is computed at once: of a mixture
	// of experts that of one expert.
	widest uint64
	// tied: the file has no output matrix, its embeddings serve as one.
	tied bool
	// headsKV are those of each layer, or of attentionLayers if there are any.
	heads, headsKV, keyLength, valueLength uint64
	// keyLengthMLA and valueLengthMLA are for multi-head latent attention.
	keyLengthMLA, valueLengthMLA uint64
	window                       uint64
	// attentionLayers count from 0; the others keep a state in place of keys and values.
	attentionLayers                                          []uint64
	ssmConvKernel, ssmInnerSize, ssmStateSize, ssmGroupCount uint64
}

// MemoryMiB returns the MEMORY of a virtual machine for a context in tokens, as the bake
// computes it from the file itself; 0 if the size or the shape of the model is not known, or the
// model was not made for so many tokens.
func (m Model) MemoryMiB(context int) int {
	if m.Size == 0 || m.shape.layers == 0 || context > m.Context {
		return 0
	}
	return fit.Memory(m.header(), context)
}

// llama.cpp quantizes embeddings that serve as output in Q6_K, in Q4_K_M too: 256 numbers in 210 bytes.
const q6KNumbers, q6KBytes = 256, 210

// header describes the file as its own header does. All of the file counts as weights, the
// vocabulary and the header itself among them, which are a thousandth of it.
func (m Model) header() gguf.Header {
	s := m.shape
	embeddings := gguf.Tensor{Name: "token_embd.weight", Dimensions: []uint64{s.embedding, s.vocabulary}}
	// That an output matrix is there says that the embeddings are needed once.
	output := gguf.Tensor{Name: "output.weight", Dimensions: embeddings.Dimensions}
	layers := gguf.Tensor{Name: "blk.0.widest", Dimensions: []uint64{s.embedding, s.widest}}
	if s.tied {
		embeddings.Size = min(uint64(m.Size), s.embedding*s.vocabulary*q6KBytes/q6KNumbers)
		output.Name = "output_norm.weight"
	} else {
		output.Size = min(uint64(m.Size), 1)
	}
	layers.Size = uint64(m.Size) - embeddings.Size - output.Size
	return gguf.Header{
		Architecture: m.Architecture, ContextLength: uint64(m.Context), EmbeddingLength: s.embedding, BlockCount: s.layers,
		Numbers: s.numbers(), Lists: s.lists(),
		Tensors: []gguf.Tensor{embeddings, output, layers},
	}
}

func (s shape) numbers() map[string]uint64 {
	numbers := map[string]uint64{}
	for key, value := range map[string]uint64{
		"attention.head_count": s.heads, "attention.head_count_kv": s.headsKV,
		"attention.key_length": s.keyLength, "attention.value_length": s.valueLength,
		"attention.key_length_mla": s.keyLengthMLA, "attention.value_length_mla": s.valueLengthMLA,
		"attention.sliding_window": s.window,
		"ssm.conv_kernel":          s.ssmConvKernel, "ssm.inner_size": s.ssmInnerSize,
		"ssm.state_size": s.ssmStateSize, "ssm.group_count": s.ssmGroupCount,
	} {
		if value != 0 {
			numbers[key] = value
		}
	}
	return numbers
}

func (s shape) lists() map[string][]uint64 {
	if len(s.attentionLayers) == 0 {
		return nil
	}
	heads := make([]uint64, s.layers)
	for _, layer := range s.attentionLayers {
		heads[layer] = s.headsKV
	}
	return map[string][]uint64{"attention.head_count_kv": heads}
}
