package fit

import (
	"fmt"
	"strings"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/model/gguf"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/model/kvcache"
)

const (
	mib = 1 << 20
	// Batch is how many tokens of a prompt the engine computes at once. Measured: values from
	// 64 to 1024 are equally fast, but memory use grows with the value.
	Batch = 512
	// Draft is how many tokens the engine guesses at once and then checks together.
	Draft = 15

	// services is the memory, in bytes, of what runs besides the model: LocalAI's own process
	// (measured: 128 MiB), nginx (measured: 8 MiB), the backend's vocabulary, the tables of
	// its speculative decoding (16 MiB) and requests in progress (15 MiB each at most).
	services = 384 * mib
	// Checkpoints is of how many moments the engine keeps a copy of windows and states, which it
	// cannot roll back otherwise: the model file sets it (n_ctx_checkpoints), because LocalAI's
	// default of 32 (its grpc-server.cpp) takes gigabytes.
	Checkpoints = 8
	// checkpointStep is how many tokens lie between two of them at least (LocalAI's default of
	// checkpoint_min_step), but for lastCheckpoints near the end of a prompt
	// (create_checkpoint in server-context.cpp of llama.cpp v0.4.0).
	checkpointStep  = 256
	lastCheckpoints = 4

	// system is reserved, in bytes, for the kernel, its page tables and caches, and for Debian
	// or Ubuntu, but never more than an eighth of the memory.
	system = 768 * mib
)

// cacheType is how ggml stores the KV cache: a block of elements numbers takes bytes bytes.
type cacheType struct{ elements, bytes uint64 }

var (
	f16 = cacheType{1, 2}
	q8  = cacheType{32, 34} // q8_0: 32 numbers of one byte, and their scale
)

func (c cacheType) bytesFor(numbers uint64) uint64 { return numbers * c.bytes / c.elements }

// size is the memory a model needs, in bytes unless stated otherwise.
type size struct {
	weights uint64
	cache   kvcache.Layout
	// row is what the widest layer computes of one token, scores its score for each word of the
	// vocabulary.
	row, scores uint64
}

func sizes(model gguf.Header) size {
	return size{
		weights: weights(model),
		cache:   kvcache.Of(model),
		row:     row(model),
		scores:  4 * vocabulary(model),
	}
}

// weights returns the size of all tensors in the file, each counted once. llama.cpp maps the
// file, and copies what its CPU kernels need in another layout to memory of the process, the matrices of
// experts too: with AVX2 Q4_0, Q4_K, IQ4_NL and MXFP4, with AVX-512 Q2_K too; with AMX, of what is no
// expert, Q4_0, Q4_1, Q8_0, Q4_K, Q5_K, Q6_K and IQ4_XS instead; on ARM Q4_0, Q8_0, Q4_K, Q5_K, Q6_K, IQ4_NL and
// MXFP4 (ggml-cpu/repack.cpp and amx/*.cpp of llama.cpp b10361). Both count as resident, but the pages of
// the file behind a copy are never read again, so the kernel reclaims them first. Measured with
// AVX-512: of 504 MiB of a dense model 334 were copied, and 200 of the file's were used while 512 tokens
// were read and some written; of 2521 MiB of a mixture of experts 1788 were copied, 1728 of them experts.
//
// A model without an output matrix uses that of the embeddings, which is in memory
// twice if it is copied.
func weights(model gguf.Header) (total uint64) {
	var embeddings, output uint64
	for _, tensor := range model.Tensors {
		total += tensor.Size
		switch tensor.Name {
		case "token_embd.weight":
			embeddings = tensor.Size
			continue
		case "output.weight":
			output = tensor.Size
		}
		if larger, found := largerForAMX[tensor.Type]; found && len(tensor.Dimensions) == 2 {
			total += tensor.Size / larger.block * larger.by
		}
	}
	if output == 0 {
		total += embeddings
	}
	return total
}

// largerForAMX lists the types whose blocks, of so many bytes, are larger by some as AMX has them
// (get_row_size in ggml-cpu/amx/mmq.cpp). The agent does not ask whether the CPU has it: the same image
// should not come to another context on another host.
var largerForAMX = map[gguf.TensorType]struct{ block, by uint64 }{
	8: {34, 4}, 12: {144, 4}, 13: {176, 4}, 23: {136, 2}, // Q8_0, Q4_K, Q5_K, IQ4_XS
}

// vocabulary returns how many words the model has.
func vocabulary(model gguf.Header) uint64 {
	for _, tensor := range model.Tensors {
		if tensor.Name == "token_embd.weight" && len(tensor.Dimensions) > 1 {
			return tensor.Dimensions[1]
		}
	}
	return 0
}

// row estimates in bytes what a layer computes of one token, in 32-bit numbers. llama.cpp shares
// buffers where it can: this many are in use at the same time, or cannot be used because of
// their size. They are three as wide as the widest matrix (gate, up and their product), or for each
// expert that is asked these three and what it answers; and some as wide as the embeddings. What is
// multiplied with a matrix is in memory in 8 bits too, and so are, in 64, the ways to the experts.
// Embeddings that layers have of their own (Gemma 3n and 4) stay for all of them.
func row(model gguf.Header) uint64 {
	const buffers = 8 // of embeddings; measured: up to 6
	widest, experts, ofLayers := uint64(0), uint64(0), uint64(0)
	for _, tensor := range model.Tensors {
		switch {
		case tensor.Name == "per_layer_token_embd.weight":
			ofLayers = tensor.Dimensions[0]
		case !strings.HasPrefix(tensor.Name, "blk."):
		case strings.Contains(tensor.Name, "_exps.") && len(tensor.Dimensions) == 3:
			// One of the two is the width of the embeddings.
			width := max(tensor.Dimensions[0]+tensor.Dimensions[1], model.EmbeddingLength) - model.EmbeddingLength
			used := max(1, model.Numbers["expert_used_count"])
			experts = max(experts, used*(4*(model.EmbeddingLength+3*width)+8*tensor.Dimensions[2]))
		default:
			// A third dimension counts heads.
			for _, dimension := range tensor.Dimensions[:min(2, len(tensor.Dimensions))] {
				widest = max(widest, dimension)
			}
		}
	}
	const multiplied = 2 // bytes, with their scale and what rounding up adds
	return max(4*3*widest, experts) + 4*(buffers*model.EmbeddingLength+ofLayers) + multiplied*widest
}

// compute bounds the buffers to compute a batch, of which outputs tokens have scores: what llama.cpp logs
// as "compute buffer size".
func (s size) compute(context int, outputs uint64) uint64 {
	return Batch*(s.row+s.mask(context)) + outputs*s.scores
}

// mask returns the attention mask for one token, of 16 bits for each cell, as flash attention has it.
// Layers with a window have their own.
func (s size) mask(context int) uint64 {
	if s.cache.Full == 0 && s.cache.Windowed == 0 {
		return 0
	}
	return 2 * (cells(context) + s.windowCells(context))
}

// need returns the memory for the engine and the services around it.
func (s size) need(context int, kind cacheType) uint64 {
	// llama.cpp's server, which LocalAI's backend is built of, wants scores for no more than this, and copies them.
	const outputs = 1 + Draft
	buffers := s.compute(context, outputs) + outputs*s.scores
	// A state cannot be rolled back: there is a copy of it from before the draft that is checked.
	drafted := s.cache.State
	return s.weights + s.kv(context, kind) + s.checkpoints(context, kind) + drafted + buffers + services
}

// kv returns the size of the KV cache and of recurrent states. For a 24B model (40 layers of 8
// heads, 128 numbers in each key and value) a token takes 160 KiB in f16, and 85 KiB in q8_0.
func (s size) kv(context int, kind cacheType) uint64 {
	return kind.bytesFor(cells(context)*s.cache.Full+s.windowCells(context)*s.cache.Windowed) + s.cache.State
}

// windowCells is how many tokens the layers with a window store: those they see, and the batch
// that is being computed.
func (s size) windowCells(context int) uint64 {
	if s.cache.Window == 0 {
		return 0
	}
	return min(cells(context), roundUp(s.cache.Window+Batch))
}

// checkpoints returns the memory of the copies of windows and states.
func (s size) checkpoints(context int, kind cacheType) uint64 {
	n := min(Checkpoints, uint64(context)/checkpointStep+lastCheckpoints)
	return n * s.checkpoint(context, kind)
}

// checkpoint returns what the engine saves of that which it cannot roll back: states, and of windows what
// the next token sees.
func (s size) checkpoint(context int, kind cacheType) uint64 {
	return kind.bytesFor(min(uint64(context), s.cache.Window)*s.cache.Windowed) + s.cache.State
}

// saved returns what the engine saves of a conversation of so many tokens.
func (s size) saved(tokens int, kind cacheType) uint64 {
	return kind.bytesFor(uint64(tokens)*s.cache.Full) + s.checkpoint(tokens, kind)
}

// state returns the memory that one conversation takes in the prompt cache: what is saved of it, its
// checkpoints, and a little for positions and tokens.
func (s size) state(tokens int, kind cacheType) uint64 {
	kept := s.saved(tokens, kind) + s.checkpoints(tokens, kind)
	return (kept + kept/64 + mib - 1) / mib * mib
}

func cells(context int) uint64 { return roundUp(uint64(context)) }

func roundUp(tokens uint64) uint64 {
	return (tokens + contextStep - 1) / contextStep * contextStep
}

// usable returns the part of the memory that is not reserved for the system.
func usable(memory uint64) uint64 { return memory - min(memory/8, system) }

// memoryFor returns the MEMORY of a VM, in MiB and rounded up to whole GiB, that leaves need
// bytes usable. The kernel reserves a few percent of the VM's memory before reporting the
// total (measured: 1.9 % of 24 GiB).
func memoryFor(need uint64) uint64 {
	return (given(need) + 1<<30 - 1) >> 30 << 10
}

func given(need uint64) uint64 {
	total := need + min(need/7+1, system) + memoryStep
	return max(total+total/32, total+total/64+kernel)
}

// kernel is what Linux keeps to itself of a machine of any size, besides 1/64 for the descriptions
// of its pages. Measured: 471 MiB of 24576 are missing.
const kernel = 96 * mib

func gib(bytes uint64) string { return fmt.Sprintf("%.1f GiB", float64(bytes)/(1<<30)) }
