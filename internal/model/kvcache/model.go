package kvcache

import "github.com/slm-copilot/packer-plugin-slm-copilot/internal/model/gguf"

// Keys of the metadata, without the name of the architecture.
const (
	keyEmbedding      = "embedding_length"
	keyHeads          = "attention.head_count"
	keyHeadsKV        = "attention.head_count_kv"
	keyKeyLength      = "attention.key_length"
	keyValueLength    = "attention.value_length"
	keyKeyLengthMLA   = "attention.key_length_mla"
	keyValueLengthMLA = "attention.value_length_mla"
	keyIndexer        = "attention.indexer.key_length"
	keySharedKV       = "attention.shared_kv_layers"
	keyDraftLayers    = "nextn_predict_layers"
	keyLoops          = "num_loops"
	keyFeedForward    = "feed_forward_length"

	keyWindow      = "attention.sliding_window"
	keyPattern     = "attention.sliding_window_pattern"
	windowedSuffix = "_swa"

	keyRecurrent        = "attention.recurrent_layers"
	keyInterval         = "full_attention_interval"
	keyConvolution      = "ssm.conv_kernel"
	keyInner            = "ssm.inner_size"
	keyState            = "ssm.state_size"
	keyGroups           = "ssm.group_count"
	keyKDAHead          = "kda.head_dim"
	keyWKVHead          = "wkv.head_size"
	keyTokenShift       = "token_shift_count"
	keyShortConvolution = "shortconv.l_cache"
)

// model answers questions about one layer as llama.cpp does.
type model struct {
	header       gguf.Header
	architecture architecture
}

// number returns what the file says, or what llama.cpp takes if it says nothing.
func (m model) number(key string, otherwise uint64) uint64 {
	if value, present := m.header.Numbers[key]; present {
		return value
	}
	return otherwise
}

// ofLayer returns a number that files give once, or for each layer.
func (m model) ofLayer(key string, layer, otherwise uint64) uint64 {
	list, present := m.header.Lists[key]
	switch {
	case !present:
		return m.number(key, otherwise)
	case layer < uint64(len(list)):
		return list[layer]
	}
	return 0
}

// layers counts them without those for drafts, which come last.
func (m model) layers() uint64 {
	return m.header.BlockCount - min(m.header.BlockCount, m.number(keyDraftLayers, 0))
}

// attentionLayers returns how many layers, from the first, may have keys and values of their own.
func (m model) attentionLayers() uint64 {
	layers := m.header.BlockCount
	switch {
	case m.architecture.recurrent == everyLayer:
		return 0
	case m.architecture.noDraftKV:
		layers = m.layers()
	case m.architecture.ownKV > 0:
		layers = min(layers, m.architecture.ownKV)
	case m.header.Architecture == "gemma4":
		layers -= min(layers, m.number(keySharedKV, 0))
	}
	return layers
}

// numbers returns how many numbers a layer stores for each token.
func (m model) numbers(layer uint64, windowed bool) uint64 {
	if m.keepsState(layer) && m.architecture.recurrent != besidesAttention {
		return 0
	}
	keys := m.keyValueHeads(layer) * m.keyLength(windowed)
	values := m.keyValueHeads(layer) * m.valueLength(windowed)
	// Sparse attention finds the tokens it reads with one more head.
	if indexer := m.number(keyIndexer, 0); indexer > 0 {
		keys += indexer
		values += m.valueLength(windowed)
	}
	if m.isLatent() {
		return keys
	}
	return keys + values
}

func (m model) keyValueHeads(layer uint64) uint64 {
	return m.ofLayer(keyHeadsKV, layer, m.ofLayer(keyHeads, layer, 0))
}

// isLatent reports multi-head latent attention, whose values are computed from what is stored as
// the key. Files made before llama.cpp could do that lack these numbers, and store both.
func (m model) isLatent() bool {
	return m.number(keyKeyLengthMLA, 0) > 0 && m.number(keyValueLengthMLA, 0) > 0
}

func (m model) keyLength(windowed bool) uint64   { return m.headLength(keyKeyLength, windowed) }
func (m model) valueLength(windowed bool) uint64 { return m.headLength(keyValueLength, windowed) }

func (m model) headLength(key string, windowed bool) uint64 {
	heads := m.ofLayer(keyHeads, 0, 0)
	if heads == 0 {
		return 0
	}
	length := m.number(key, m.header.EmbeddingLength/heads)
	if windowed {
		return m.number(key+windowedSuffix, length)
	}
	return length
}

// window returns how many tokens the layer sees, 0 if all.
func (m model) window(layer uint64) uint64 {
	w := m.architecture.windows
	if w.layers != 0 && w.layers != m.layers() {
		return 0
	}
	size := m.number(keyWindow, w.size)
	if size == 0 || layer >= m.layers() || !m.isWindowed(layer) {
		return 0
	}
	if w.fixed > 0 {
		return w.fixed
	}
	return size
}

func (m model) isWindowed(layer uint64) bool {
	w := m.architecture.windows
	if list, present := m.header.Lists[keyPattern]; present && w.listed {
		return layer < uint64(len(list)) && list[layer] != 0
	}
	number, present := m.header.Numbers[keyPattern]
	if w.period == 0 {
		// One flag in place of a list counts for all layers.
		return w.listed && number != 0
	}
	period := w.period
	if present {
		period = number
	}
	switch {
	case period == 0:
		return true
	case w.denseFirst:
		return layer%period != 0
	}
	return layer%period < period-1
}

// keepsState reports whether a layer is recurrent. A layer for drafts never is.
func (m model) keepsState(layer uint64) bool {
	if layer >= m.layers() {
		return false
	}
	switch m.architecture.recurrent {
	case everyLayer, besidesAttention:
		return true
	case withoutHeads:
		return m.keyValueHeads(layer) == 0
	case withoutHeadsOrForward:
		return m.keyValueHeads(layer) == 0 && m.ofLayer(keyFeedForward, layer, 0) == 0
	case byInterval:
		interval := m.number(keyInterval, m.architecture.interval)
		return m.ofLayer(keyRecurrent, layer, min(1, (layer+1)%max(1, interval))) != 0
	}
	return false
}

func (m model) recurrentLayers() uint64 {
	var n uint64
	for layer := range m.layers() {
		if m.keepsState(layer) {
			n++
		}
	}
	return n
}

// stateLength returns how many numbers the state of a recurrent layer has: what its convolution
// or token shift needs of the latest tokens, and what it makes of all of them (n_embd_r and
// n_embd_s in llama-hparams.cpp).
func (m model) stateLength() uint64 {
	embedding, heads := m.header.EmbeddingLength, m.ofLayer(keyHeads, 0, 0)
	convolution := m.number(keyConvolution, 0)
	if wkv := m.number(keyWKVHead, 0); wkv > 0 {
		return m.number(keyTokenShift, 2)*embedding + embedding*wkv
	}
	if short := m.number(keyShortConvolution, 0); short > 0 {
		return embedding * (short - 1)
	}
	if kda := m.number(keyKDAHead, 0); kda > 0 {
		return 3*(max(1, convolution)-1)*heads*kda + kda*kda*heads
	}
	if m.header.Architecture == "minimax-01" {
		return m.keyLength(false) * m.keyLength(false) * heads
	}
	inner, state, groups := m.number(keyInner, 0), m.number(keyState, 0), m.number(keyGroups, 0)
	return (max(1, convolution)-1)*(inner+2*groups*state) + inner*state
}
