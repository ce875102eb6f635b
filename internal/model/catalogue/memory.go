package catalogue

import (
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/model/fit"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/model/gguf"
)

// shape is what decides the memory, besides the size of the file. The numbers are those that
// llama.cpp's converter writes into the header of a file, from the model's config.json.
type shape struct {
	layers, embedding, vocabulary uint64
	// widest is the largest dimension of a matrix of a layer that is no expert.
	widest uint64
	// experts are how many a layer has, expertsUsed of which a token asks, each as wide as
	// expertWidth.
	experts, expertsUsed, expertWidth uint64
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

// Types of tensors, numbered as in the file, and the bytes of 256 numbers.
const (
	q4K                gguf.TensorType = 12
	blockLength                        = 256
	q4KBytes, q6KBytes                 = 144, 210
)

// header describes the file as its own header does. All of the file counts as weights, the
// vocabulary and the header itself among them, which are a thousandth of it; and all as
// Q4_K, which is most of every file here, but for embeddings that serve as output: llama.cpp quantizes these in Q6_K.
func (m Model) header() gguf.Header {
	s := m.shape
	left := uint64(m.Size)
	tensor := func(name string, size uint64, dimensions ...uint64) gguf.Tensor {
		size = min(size, left)
		left -= size
		return gguf.Tensor{Name: name, Type: q4K, Dimensions: dimensions, Size: size}
	}
	blocks := s.embedding * s.vocabulary / blockLength
	tensors := []gguf.Tensor{tensor("token_embd.weight", blocks*map[bool]uint64{true: q6KBytes, false: q4KBytes}[s.tied], s.embedding, s.vocabulary)}
	if !s.tied {
		// That it is there says that the embeddings are needed once.
		tensors = append(tensors, tensor("output.weight", blocks*q6KBytes, s.embedding, s.vocabulary))
	}
	if s.experts > 0 {
		const gateUpDown = 3
		size := s.layers * gateUpDown * s.experts * s.embedding * s.expertWidth / blockLength * q4KBytes
		tensors = append(tensors, tensor("blk.0.ffn_up_exps.weight", size, s.embedding, s.expertWidth, s.experts))
	}
	return gguf.Header{
		Architecture: m.Architecture, ContextLength: uint64(m.Context), EmbeddingLength: s.embedding, BlockCount: s.layers,
		Numbers: s.numbers(), Lists: s.lists(),
		Tensors: append(tensors, tensor("blk.0.attn_q.weight", left, s.embedding, s.widest)),
	}
}

func (s shape) numbers() map[string]uint64 {
	numbers := map[string]uint64{}
	for key, value := range map[string]uint64{
		"attention.head_count": s.heads, "attention.head_count_kv": s.headsKV,
		"attention.key_length": s.keyLength, "attention.value_length": s.valueLength,
		"attention.key_length_mla": s.keyLengthMLA, "attention.value_length_mla": s.valueLengthMLA,
		"attention.sliding_window": s.window, "expert_used_count": s.expertsUsed,
		"ssm.conv_kernel": s.ssmConvKernel, "ssm.inner_size": s.ssmInnerSize,
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
