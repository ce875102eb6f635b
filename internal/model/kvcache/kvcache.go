// Package kvcache computes what llama.cpp allocates for the tokens it has read: the keys and
// values of attention layers, and the states of recurrent ones. It does no I/O.
//
// Source: llama-kv-cache.cpp, llama-kv-cache-iswa.cpp, llama-memory-recurrent.cpp,
// llama-memory-hybrid.cpp and llama-hparams.cpp of llama.cpp v0.4.0, whose rules are those of b10361,
// which LocalAI v4.9.0 has. Where a cache is arranged in yet another way (deepseek4, dots3note,
// minimax-m3), the result is more than llama.cpp takes.
package kvcache

import "github.com/slm-copilot/packer-plugin-slm-copilot/internal/model/gguf"

// Layout is the cache of a model for one conversation.
type Layout struct {
	// Full is how many numbers are stored for each token of the context.
	Full uint64
	// Windowed is how many more are stored for each of the latest tokens, by layers that see no
	// others.
	Windowed uint64
	// Window is how many tokens these layers see, 0 if there are no such layers.
	Window uint64
	// State is in bytes: the states of recurrent layers, which do not grow with the context.
	State uint64
	// HeadUnit is the largest number that divides the length of every key and value, 0 if there
	// are none: a block of a quantized cache must not be longer.
	HeadUnit uint64
}

// Of returns the layout for a model whose header Check accepts.
func Of(h gguf.Header) Layout {
	m := model{h, architectures[h.Architecture]}
	layout := Layout{
		State:    bytesPerState * m.recurrentLayers() * m.stateLength(),
		HeadUnit: divisor(m.keyLength(false), m.valueLength(false)),
	}
	for layer := range m.attentionLayers() {
		if window := m.window(layer); window > 0 {
			layout.Window = window
			layout.Windowed += m.numbers(layer, true)
			layout.HeadUnit = divisor(layout.HeadUnit, divisor(m.keyLength(true), m.valueLength(true)))
		} else {
			layout.Full += m.numbers(layer, false)
		}
	}
	// nanbeige goes through its layers more than once, and each time has a cache of its own.
	layout.Full *= m.number(keyLoops, 1)
	return layout
}

// bytesPerState: states are stored in 32 bits, whatever the type of the cache.
const bytesPerState = 4

// divisor returns the greatest common divisor; that of a number and 0 is the number.
func divisor(a, b uint64) uint64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}
