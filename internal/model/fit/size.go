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
	// row is the number of bytes needed to compute one token of a batch.
	row uint64
}

func sizes(model gguf.Header) size {
	return size{
		weights: weights(model),
		cache:   kvcache.Of(model),
		row:     row(model),
	}
}

// weights returns the size of all tensors in the file, each counted once. llama.cpp maps the
// file, and copies what its CPU kernels need in another layout (with AVX2 Q4_0, Q4_K, IQ4_NL
// and MXFP4, with AVX-512 Q2_K too, with AMX and on ARM most types: ggml-cpu/repack.cpp and
// amx/amx.cpp of llama.cpp b10361) to memory of the process. Both count as resident, but the
// pages of the file behind a copy are never read again, so the kernel reclaims them first.
// Measured with 504 MiB of weights: without copies 518 MiB of the file and 202 of the process,
// with copies 509 and 536, which is 334 more, exactly the size of the Q4_K matrices.
//
// A model without an output matrix uses that of the embeddings, which can then be in memory
// twice.
func weights(model gguf.Header) (total uint64) {
	var embeddings, output uint64
	for _, tensor := range model.Tensors {
		total += tensor.Size
		switch tensor.Name {
		case "token_embd.weight":
			embeddings = tensor.Size
		case "output.weight":
			output = tensor.Size
		}
	}
	if output == 0 {
		total += embeddings
	}
	return total
}

// row estimates the buffers for one token, in 32-bit numbers: its score for each word of the
// vocabulary, and three rows as wide as the widest of a layer (gate, up and their product).
// llama.cpp shares buffers where it can, so this is an upper bound. Measured in LocalAI v4.9.0
// with 147 MiB of weights, prompts of 3600 to 14500 tokens and a context of 32768: 57 to 71
// MiB for buffers and everything else, where this estimate and the mask give 175; the KV cache
// was exactly as large as kv returns, in f16 and in q8_0.
func row(model gguf.Header) uint64 {
	var vocabulary, widest uint64
	for _, tensor := range model.Tensors {
		if tensor.Name == "token_embd.weight" && len(tensor.Dimensions) > 1 {
			vocabulary = tensor.Dimensions[1]
		}
		if strings.HasPrefix(tensor.Name, "blk.") {
			// A third dimension counts experts, only a few of which are computed.
			for _, dimension := range tensor.Dimensions[:min(2, len(tensor.Dimensions))] {
				widest = max(widest, dimension)
			}
		}
	}
	return 4 * (vocabulary + 3*widest)
}

// need returns the memory for the engine and the services around it.
func (s size) need(context int, kind cacheType) uint64 {
	// The attention mask is stored twice, in 32 bits and in 16. Layers with a window have their
	// own.
	mask := 6 * (cells(context) + s.windowCells(context))
	return s.weights + s.kv(context, kind) + s.checkpoints(context, kind) + Batch*(s.row+mask) + services
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
	return n * (kind.bytesFor(min(cells(context), s.cache.Window)*s.cache.Windowed) + s.cache.State)
}

// state returns the memory that one full context takes in the prompt cache: its KV cache, its
// checkpoints, and a little for positions and tokens.
func (s size) state(context int, kind cacheType) uint64 {
	kept := s.kv(context, kind) + s.checkpoints(context, kind)
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
