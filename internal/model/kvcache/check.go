package kvcache

import (
	"fmt"
	"maps"
	"slices"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/model/gguf"
)

// maxLayers is llama.cpp's own limit (LLAMA_MAX_LAYERS).
const maxLayers = 512

// limits are far above every published model. They keep what is computed from a header far below
// 64 bits, for any context up to 2^17 tokens.
var limits = map[string]uint64{
	keyEmbedding: 1 << 16, keyHeads: 1 << 10, keyHeadsKV: 1 << 10,
	keyKeyLength: 1 << 13, keyValueLength: 1 << 13, keyIndexer: 1 << 13,
	keyKeyLength + windowedSuffix: 1 << 13, keyValueLength + windowedSuffix: 1 << 13,
	keyLoops: 1 << 3, keyWindow: 1 << 32,
	keyConvolution: 1 << 8, keyInner: 1 << 20, keyState: 1 << 16, keyGroups: 1 << 12,
	keyKDAHead: 1 << 12, keyWKVHead: 1 << 12, keyTokenShift: 1 << 8, keyShortConvolution: 1 << 12,
}

// Check returns an error for numbers with which llama.cpp could not make a cache.
func Check(h gguf.Header) error {
	if h.BlockCount < 1 || h.BlockCount > maxLayers {
		return fmt.Errorf("the header says %d layers, expected 1 to %d", h.BlockCount, maxLayers)
	}
	for _, key := range slices.Sorted(maps.Keys(limits)) {
		numbers, listed := h.Lists[key]
		if listed && uint64(len(numbers)) != h.BlockCount {
			return fmt.Errorf("the header lists %s for %d of %d layers", key, len(numbers), h.BlockCount)
		}
		if number, present := h.Numbers[key]; present {
			numbers = append(slices.Clone(numbers), number)
		}
		if len(numbers) > 0 && slices.Max(numbers) > limits[key] {
			return fmt.Errorf("the header says %s is %d, at most %d is expected", key, slices.Max(numbers), limits[key])
		}
	}
	return checkHeads(h)
}

// checkHeads finds attention without any length of its keys or values.
func checkHeads(h gguf.Header) error {
	m := model{h, architectures[h.Architecture]}
	if m.architecture.recurrent == everyLayer {
		return nil
	}
	if m.keyLength(false) == 0 || m.valueLength(false) == 0 {
		return fmt.Errorf("the header says that %s has attention, with keys of %d numbers and values of %d",
			h.Architecture, m.keyLength(false), m.valueLength(false))
	}
	return nil
}
