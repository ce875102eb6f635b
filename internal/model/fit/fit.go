// Package fit decides which context size and caches fit into the memory of the VM. It does no
// I/O.
package fit

import (
	"fmt"
	"sort"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/model/gguf"
)

const (
	// contextStep is the multiple to which llama.cpp rounds up the number of cells in its
	// cache.
	contextStep = 256
	// MinContext is the smallest context, in tokens, that Decide falls back to.
	MinContext = 512
	// memoryStep hides the few KiB by which the reported memory differs from one boot to the
	// next: the same VM must always get the same result.
	memoryStep = 64 * mib
)

// Conversation is the length, in tokens, of a conversation to reckon with: the first prompts of
// coding agents have 1,400 to 19,500.
const Conversation = 12000

// Result is the configuration for the engine.
type Result struct {
	// ContextSize is in tokens, never more than was requested.
	ContextSize int
	// CacheType is the data type of the KV cache, "q8_0", or empty for the engine's default,
	// f16.
	CacheType string
	// CacheRAM is the size of the prompt cache in MiB; 0 means none. CacheTokens is how many tokens of
	// conversations of usual length it holds, the one that is computed among them.
	CacheRAM, CacheTokens int
	// Warnings say what was reduced, by how much, and what to do about it.
	Warnings []string
}

// Decide finds the largest context, up to wanted tokens, that fits into memory bytes. The
// header must have been accepted by package weights. The error says that the model does not
// fit at all.
//
// A KV cache in q8_0 is the second choice, because it processes prompts more slowly (measured
// at 1500 tokens: 101 tokens/s, f16 158). It is used whenever f16 falls short of the wanted
// context: with a tolerance, adding memory could make the context smaller.
func Decide(memory uint64, model gguf.Header, wanted int) (Result, error) {
	memory -= memory % memoryStep
	limit := wanted
	if model.ContextLength < uint64(wanted) {
		limit = int(model.ContextLength)
	}
	s := sizes(model)
	kind := f16
	context := s.largest(memory, limit, f16)
	if context < limit && s.quantizable() {
		if larger := s.largest(memory, limit, q8); larger > context {
			kind, context = q8, larger
		}
	}
	if context == 0 {
		return Result{}, s.tooLarge(memory, limit)
	}
	need := s.need(context, kind)
	// One conversation too many, and all are read again at each turn: the cache gets all that is left.
	cache := usable(memory) - need
	usual := min(Conversation, context)
	result := Result{ContextSize: context, CacheRAM: int(cache / mib), CacheTokens: int(cache * uint64(usual) / max(s.state(usual, kind), mib))}
	if kind == q8 {
		result.CacheType = "q8_0"
	}
	result.Warnings = s.warnings(memory, wanted, limit, result, kind)
	return result, nil
}

// largest returns the largest context up to limit that fits, 0 if none does.
func (s size) largest(memory uint64, limit int, kind cacheType) int {
	fits := func(context int) bool { return s.need(context, kind) <= usable(memory) }
	if fits(limit) {
		return limit
	}
	steps := limit / contextStep
	tooMany := sort.Search(steps+1, func(n int) bool { return !fits(n * contextStep) })
	if context := (tooMany - 1) * contextStep; context >= MinContext {
		return context
	}
	return 0
}

// quantizable reports whether llama.cpp accepts a q8_0 cache: its blocks must not straddle
// heads.
func (s size) quantizable() bool { return s.cache.HeadUnit%q8.elements == 0 }

func (s size) tooLarge(memory uint64, limit int) error {
	need := s.least(limit)
	return fmt.Errorf("the model does not fit into the memory: it needs %s with the smallest context, the system leaves %s of %s. Set MEMORY of the virtual machine to %d or more",
		gib(need), gib(usable(memory)), gib(memory), memoryFor(need))
}

// least returns the memory for the smallest context up to limit.
func (s size) least(limit int) uint64 {
	kind := f16
	if s.quantizable() {
		kind = q8
	}
	return s.need(min(limit, MinContext), kind)
}

func (s size) warnings(memory uint64, wanted, limit int, r Result, kind cacheType) []string {
	var warnings []string
	warn := func(format string, args ...any) { warnings = append(warnings, fmt.Sprintf(format, args...)) }
	if limit < wanted {
		warn("context of %d tokens in place of %d: the model was made for no more. Set %s to %d", limit, wanted, appliance.VarContextSize, limit)
	}
	if r.ContextSize < limit {
		need := s.need(limit, kind)
		warn("context of %d tokens in place of %d, which would need %s of memory; the system leaves %s. Set MEMORY of the virtual machine to %d or more, or %s to %d",
			r.ContextSize, limit, gib(need), gib(usable(memory)), memoryFor(need), appliance.VarContextSize, r.ContextSize)
	}
	if kind == q8 {
		need := s.need(limit, f16)
		warn("KV cache in q8_0, which reads long prompts more slowly (measured: 101 tokens/s in place of 158): f16 would need %s of memory; the system leaves %s. Set MEMORY of the virtual machine to %d or more",
			gib(need), gib(usable(memory)), memoryFor(need))
	}
	if full := s.state(r.ContextSize, kind); uint64(r.CacheRAM)*mib < taken*full {
		warn("prompt cache of %d MiB, while two full contexts take %d: of two long conversations in turn each is read again from its start. Set MEMORY of the virtual machine to %d or more",
			r.CacheRAM, taken*full/mib, memoryFor(s.need(r.ContextSize, kind)+taken*full))
	}
	return warnings
}

// taken is how many conversations are in the prompt cache when two take turns: before the engine loads the
// other one, it saves the one that it has, and the limit holds for both (server_prompt_cache::alloc in
// server-task.cpp). A VM of the recommended size has room for two full contexts there: a 24B
// model in Q4_K_M with 32768 tokens needs 32 GiB.
const taken = 2

// Memory recommends the MEMORY of a VM, in MiB and rounded up to whole GiB: enough for context
// tokens in f16, or for as many as the model was trained for if those are fewer, without a
// warning from Decide. The header must have been accepted by package weights.
func Memory(model gguf.Header, context int) int {
	s := sizes(model)
	context = int(min(uint64(context), model.ContextLength))
	return int(memoryFor(s.need(context, f16) + taken*s.state(context, f16)))
}

// Least returns the MEMORY of a VM, in MiB, with which the model fits, if only with the smallest
// context. The header must have been accepted by package weights.
func Least(model gguf.Header) int {
	return int(given(sizes(model).least(int(model.ContextLength)))>>20) + 1
}
