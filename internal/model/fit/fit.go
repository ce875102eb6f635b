// Package fit decides how much of what the user wants fits into the memory of the machine.
// It is pure.
package fit

import (
	"fmt"
	"sort"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/model/gguf"
)

const (
	// contextStep is what llama.cpp rounds the cells of its cache up to.
	contextStep = 256
	// MinContext is the least a context is reduced to, in tokens.
	MinContext = 512
	// memoryStep hides the few KiB by which the memory differs from one boot to the next:
	// the same machine must come to the same result.
	memoryStep = 64 * mib
	// maxCache is llama.cpp's own default for its prompt cache.
	maxCache = 8192 * mib
)

// Result is what the engine is told.
type Result struct {
	// ContextSize is in tokens, never more than was asked for.
	ContextSize int
	// CacheType is how the KV cache is stored, "q8_0", or empty for the engine's default,
	// f16.
	CacheType string
	// CacheRAM is the size of the prompt cache in MiB; 0 is none.
	CacheRAM int
	// Warnings say what was reduced, by how much, and what to do about it.
	Warnings []string
}

// Decide finds the largest context that fits into so many bytes of memory, up to the wanted
// number of tokens. The header must be one that package weights let through. The error says
// that the model does not fit at all.
//
// A KV cache in q8_0 is the second choice, because it reads prompts more slowly (measured
// at 1500 tokens: 101 tokens/s, f16 158). It is taken wherever f16 falls short of what
// is wanted: a tolerance would make the context smaller when memory is added.
func Decide(memory uint64, model gguf.Header, wanted int) (Result, error) {
	memory -= memory % memoryStep
	limit := wanted
	if model.ContextLength < uint64(wanted) {
		limit = int(model.ContextLength)
	}
	s := sizes(model)
	kind := f16
	context := s.largest(memory, limit, f16)
	if context < limit && quantizable(model) {
		if larger := s.largest(memory, limit, q8); larger > context {
			kind, context = q8, larger
		}
	}
	if context == 0 {
		return Result{}, s.tooLarge(memory, limit, model)
	}
	need := s.need(context, kind)
	cache := min(usable(memory)-need, max(maxCache, s.state(context, kind)))
	result := Result{ContextSize: context, CacheRAM: int(cache / mib)}
	if kind == q8 {
		result.CacheType = "q8_0"
	}
	result.Warnings = s.warnings(memory, wanted, limit, result, kind)
	return result, nil
}

// largest gives the largest context up to limit that fits, 0 if none does.
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

// quantizable says whether llama.cpp accepts a q8_0 cache: its blocks must not straddle
// heads.
func quantizable(model gguf.Header) bool {
	return model.KeyLength%q8.elements == 0 && model.ValueLength%q8.elements == 0
}

func (s size) tooLarge(memory uint64, limit int, model gguf.Header) error {
	kind := f16
	if quantizable(model) {
		kind = q8
	}
	need := s.need(min(limit, MinContext), kind)
	return fmt.Errorf("the model does not fit into the memory: it needs %s with the smallest context, the system leaves %s of %s. Set MEMORY of the virtual machine to %d or more",
		gib(need), gib(usable(memory)), gib(memory), memoryFor(need))
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
	if full := s.state(r.ContextSize, kind); uint64(r.CacheRAM)*mib < full {
		warn("prompt cache of %d MiB, while one full context takes %d: a long conversation is read again from its start after another one. Set MEMORY of the virtual machine to %d or more",
			r.CacheRAM, full/mib, memoryFor(s.need(r.ContextSize, kind)+full))
	}
	return warnings
}

// spare is how many full contexts a machine of the recommended size has room for besides the
// one in use: for the prompt cache, and for pages of the file while its weights are being
// copied. With two, a 24B model in Q4_K_M and 32768 tokens come to 32 GiB.
const spare = 2

// Memory recommends the MEMORY of a virtual machine, in MiB and as whole GiB: the model has
// so many tokens of context, or as many as it was made for, in f16, and Decide has nothing
// to warn of. The header must be one that package weights let through.
func Memory(model gguf.Header, context int) int {
	s := sizes(model)
	context = int(min(uint64(context), model.ContextLength))
	return int(memoryFor(s.need(context, f16) + spare*s.state(context, f16)))
}
