package kvcache

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/gguftest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/model/gguf"
)

type numbers = map[string]uint64

type lists = map[string][]uint64

// heads gives the heads of a layer and the length of their keys and values.
func heads(all, keyValue, length uint64) numbers {
	return numbers{keyHeads: all, keyHeadsKV: keyValue, keyKeyLength: length, keyValueLength: length}
}

func with(all ...numbers) numbers {
	sum := numbers{}
	for _, some := range all {
		for key, value := range some {
			sum[key] = value
		}
	}
	return sum
}

// each makes a list for n layers.
func each(n uint64, value func(layer uint64) uint64) []uint64 {
	list := make([]uint64, n)
	for layer := range list {
		list[layer] = value(uint64(layer))
	}
	return list
}

// every returns value for the layers at an offset of each period, and otherwise for the others.
func every(period, offset, value, otherwise uint64) func(uint64) uint64 {
	return func(layer uint64) uint64 {
		if layer%period == offset {
			return value
		}
		return otherwise
	}
}

// letters makes a list with a value for each layer whose letter it is.
func letters(pattern, letter string, value uint64) []uint64 {
	return each(uint64(len(pattern)), func(layer uint64) uint64 {
		if pattern[layer:layer+1] == letter {
			return value
		}
		return 0
	})
}

// The patterns of hybrid_override_pattern: M is Mamba, * attention, - and E a feed-forward network.
const (
	nemotron9B  = "M-M-M-MM-M-M-M*-M-M-M*-M-M-M-M*-M-M-M-M*-M-MM-M-M-M-M-M-"
	nemotron30B = "MEMEM*EMEMEM*EMEMEM*EMEMEM*EMEMEM*EMEMEMEM*EMEMEMEME"
)

const (
	context = 16384 // tokens
	mib     = 1 << 20
)

// published lists models by the numbers of their config.json at Hugging Face, as llama.cpp's
// conversion writes them. Each layout was worked out by hand. The MiB are those that llama.cpp
// v0.4.0 (libllama of the npm package node-llama-cpp 3.21.1) logged for these very numbers, with
// 16384 tokens, f16 and batches of 512: "KV buffer size", and "RS buffer size" for states.
var published = []struct {
	name, architecture string
	layers, embedding  uint64
	numbers            numbers
	lists              lists
	want               Layout
	mib                float64
}{
	{
		name: "Llama-3.1-8B", architecture: "llama", layers: 32, embedding: 4096,
		numbers: numbers{keyHeads: 32, keyHeadsKV: 8},
		want:    Layout{Full: 32 * 8 * (128 + 128), HeadUnit: 128}, mib: 2048,
	}, {
		name: "Mistral-7B-v0.1, whose window llama.cpp ignores", architecture: "llama", layers: 32, embedding: 4096,
		numbers: numbers{keyHeads: 32, keyHeadsKV: 8, keyWindow: 4096},
		want:    Layout{Full: 32 * 8 * (128 + 128), HeadUnit: 128}, mib: 2048,
	}, {
		name: "Devstral-Small-2-24B", architecture: "mistral3", layers: 40, embedding: 5120,
		numbers: heads(32, 8, 128),
		want:    Layout{Full: 40 * 8 * (128 + 128), HeadUnit: 128}, mib: 2560,
	}, {
		name: "Qwen2.5-Coder-7B", architecture: "qwen2", layers: 28, embedding: 3584,
		numbers: numbers{keyHeads: 28, keyHeadsKV: 4},
		want:    Layout{Full: 28 * 4 * (128 + 128), HeadUnit: 128}, mib: 896,
	}, {
		name: "Qwen3-8B", architecture: "qwen3", layers: 36, embedding: 4096,
		numbers: heads(32, 8, 128),
		want:    Layout{Full: 36 * 8 * (128 + 128), HeadUnit: 128}, mib: 2304,
	}, {
		name: "Qwen3-Coder-30B-A3B", architecture: "qwen3moe", layers: 48, embedding: 2048,
		numbers: heads(32, 4, 128),
		want:    Layout{Full: 48 * 4 * (128 + 128), HeadUnit: 128}, mib: 1536,
	}, {
		name: "Phi-3-mini-4k, whose window llama.cpp ignores", architecture: "phi3", layers: 32, embedding: 3072,
		numbers: numbers{keyHeads: 32, keyHeadsKV: 32, keyWindow: 2047},
		want:    Layout{Full: 32 * 32 * (96 + 96), HeadUnit: 96}, mib: 6144,
	}, {
		name: "gemma-2-9b", architecture: "gemma2", layers: 42, embedding: 3584,
		numbers: with(heads(16, 8, 256), numbers{keyWindow: 4096}),
		want:    Layout{Full: 21 * 8 * (256 + 256), Windowed: 21 * 8 * (256 + 256), Window: 4096, HeadUnit: 256}, mib: 2688 + 756,
	}, {
		name: "gemma-3-12b", architecture: "gemma3", layers: 48, embedding: 3840,
		numbers: with(heads(16, 8, 256), numbers{keyWindow: 1024}),
		want:    Layout{Full: 8 * 8 * (256 + 256), Windowed: 40 * 8 * (256 + 256), Window: 1024, HeadUnit: 256}, mib: 1024 + 480,
	}, {
		name: "gemma-3n-E4B, of whose 35 layers 15 use the cache of others", architecture: "gemma3n", layers: 35, embedding: 2048,
		numbers: with(heads(8, 2, 256), numbers{keyWindow: 512, keySharedKV: 15}),
		lists:   lists{keyPattern: each(35, every(5, 4, 0, 1))},
		want:    Layout{Full: 4 * 2 * (256 + 256), Windowed: 16 * 2 * (256 + 256), Window: 512, HeadUnit: 256}, mib: 128 + 32,
	}, {
		name: "gemma-4-26B-A4B", architecture: "gemma4", layers: 30, embedding: 2816,
		numbers: numbers{
			keyHeads: 16, keyKeyLength: 512, keyValueLength: 512, keyKeyLength + windowedSuffix: 256, keyValueLength + windowedSuffix: 256,
			keyWindow: 1024, keySharedKV: 0,
		},
		lists: lists{keyHeadsKV: each(30, every(6, 5, 2, 8)), keyPattern: each(30, every(6, 5, 0, 1))},
		want:  Layout{Full: 5 * 2 * (512 + 512), Windowed: 25 * 8 * (256 + 256), Window: 1024, HeadUnit: 256}, mib: 320 + 300,
	}, {
		name: "gemma-4-E4B, of whose 42 layers 18 use the cache of others", architecture: "gemma4", layers: 42, embedding: 2560,
		numbers: numbers{
			keyHeads: 8, keyHeadsKV: 2, keyKeyLength: 512, keyValueLength: 512, keyKeyLength + windowedSuffix: 256, keyValueLength + windowedSuffix: 256,
			keyWindow: 512, keySharedKV: 18,
		},
		lists: lists{keyPattern: each(42, every(6, 5, 0, 1))},
		want:  Layout{Full: 4 * 2 * (512 + 512), Windowed: 20 * 2 * (256 + 256), Window: 512, HeadUnit: 256}, mib: 256 + 40,
	}, {
		name: "gpt-oss-20b", architecture: "gpt-oss", layers: 24, embedding: 2880,
		numbers: with(heads(64, 8, 64), numbers{keyWindow: 128}),
		want:    Layout{Full: 12 * 8 * (64 + 64), Windowed: 12 * 8 * (64 + 64), Window: 128, HeadUnit: 64}, mib: 384 + 18,
	}, {
		name: "Llama-4-Scout, whose window is in no file", architecture: "llama4", layers: 48, embedding: 5120,
		numbers: heads(40, 8, 128),
		want:    Layout{Full: 12 * 8 * (128 + 128), Windowed: 36 * 8 * (128 + 128), Window: 8192, HeadUnit: 128}, mib: 768 + 1224,
	}, {
		name: "c4ai-command-r7b", architecture: "cohere2", layers: 32, embedding: 4096,
		numbers: with(heads(32, 8, 128), numbers{keyWindow: 4096}),
		want:    Layout{Full: 8 * 8 * (128 + 128), Windowed: 24 * 8 * (128 + 128), Window: 4096, HeadUnit: 128}, mib: 512 + 432,
	}, {
		name: "EXAONE-4.0-32B", architecture: "exaone4", layers: 64, embedding: 5120,
		numbers: with(heads(40, 8, 128), numbers{keyWindow: 4096}),
		lists:   lists{keyPattern: each(64, every(4, 3, 0, 1))},
		want:    Layout{Full: 16 * 8 * (128 + 128), Windowed: 48 * 8 * (128 + 128), Window: 4096, HeadUnit: 128}, mib: 1024 + 864,
	}, {
		name: "Olmo-3-7B", architecture: "olmo2", layers: 32, embedding: 4096,
		numbers: numbers{keyHeads: 32, keyHeadsKV: 32, keyWindow: 4096},
		lists:   lists{keyPattern: each(32, every(4, 3, 0, 1))},
		want:    Layout{Full: 8 * 32 * (128 + 128), Windowed: 24 * 32 * (128 + 128), Window: 4096, HeadUnit: 128}, mib: 2048 + 1728,
	}, {
		name: "SmallThinker-21B-A3B, whose first layer of each four has no window", architecture: "smallthinker", layers: 52, embedding: 2560,
		numbers: with(heads(28, 4, 128), numbers{keyWindow: 4096}),
		want:    Layout{Full: 13 * 4 * (128 + 128), Windowed: 39 * 4 * (128 + 128), Window: 4096, HeadUnit: 128}, mib: 416 + 351,
	}, {
		name: "Qwen3-Coder-Next", architecture: "qwen3next", layers: 48, embedding: 2048,
		numbers: with(heads(16, 2, 256), numbers{keyInterval: 4, keyInner: 4096, keyState: 128, keyConvolution: 4, keyGroups: 16}),
		want:    Layout{Full: 12 * 2 * (256 + 256), State: 4 * 36 * (3*(4096+2*16*128) + 128*4096), HeadUnit: 256}, mib: 384 + 75.38,
	}, {
		name: "granite-4.0-h-tiny", architecture: "granitehybrid", layers: 40, embedding: 1536,
		numbers: numbers{keyHeads: 12, keyInner: 3072, keyState: 128, keyConvolution: 4, keyGroups: 1},
		lists:   lists{keyHeadsKV: each(40, every(10, 5, 4, 0))},
		want:    Layout{Full: 4 * 4 * (128 + 128), State: 4 * 36 * (3*(3072+2*1*128) + 128*3072), HeadUnit: 128}, mib: 128 + 55.37,
	}, {
		name: "Nemotron-Nano-9B-v2", architecture: "nemotron_h", layers: 56, embedding: 4480,
		numbers: numbers{keyHeads: 40, keyKeyLength: 128, keyValueLength: 128, keyInner: 10240, keyState: 128, keyConvolution: 4, keyGroups: 8},
		lists:   lists{keyHeadsKV: letters(nemotron9B, "*", 8), keyFeedForward: letters(nemotron9B, "-", 15680)},
		want:    Layout{Full: 4 * 8 * (128 + 128), State: 4 * 27 * (3*(10240+2*8*128) + 128*10240), HeadUnit: 128}, mib: 256 + 138.80,
	}, {
		name: "Nemotron-3-Nano-30B-A3B", architecture: "nemotron_h_moe", layers: 52, embedding: 2688,
		numbers: numbers{keyHeads: 32, keyKeyLength: 128, keyValueLength: 128, keyInner: 4096, keyState: 128, keyConvolution: 4, keyGroups: 8},
		lists:   lists{keyHeadsKV: letters(nemotron30B, "*", 2), keyFeedForward: letters(nemotron30B, "E", 1856)},
		want:    Layout{Full: 6 * 2 * (128 + 128), State: 4 * 23 * (3*(4096+2*8*128) + 128*4096), HeadUnit: 128}, mib: 96 + 47.62,
	}, {
		name: "AI21-Jamba-Mini-1.6", architecture: "jamba", layers: 32, embedding: 4096,
		numbers: numbers{keyHeads: 32, keyInner: 8192, keyState: 16, keyConvolution: 4},
		lists:   lists{keyHeadsKV: each(32, every(8, 4, 8, 0))},
		want:    Layout{Full: 4 * 8 * (128 + 128), State: 4 * 28 * (3*8192 + 16*8192), HeadUnit: 128}, mib: 256 + 16.62,
	}, {
		name: "LFM2-1.2B", architecture: "lfm2", layers: 16, embedding: 2048,
		numbers: numbers{keyHeads: 32, keyShortConvolution: 3},
		lists:   lists{keyHeadsKV: letters("ccaccaccacacacac", "a", 8)},
		want:    Layout{Full: 6 * 8 * (64 + 64), State: 4 * 10 * 2 * 2048, HeadUnit: 64}, mib: 192 + 0.16,
	}, {
		name: "Falcon-H1-7B, whose layers have both", architecture: "falcon-h1", layers: 44, embedding: 3072,
		numbers: with(heads(12, 2, 128), numbers{keyInner: 3072, keyState: 256, keyConvolution: 4, keyGroups: 1}),
		want:    Layout{Full: 44 * 2 * (128 + 128), State: 4 * 44 * (3*(3072+2*256) + 256*3072), HeadUnit: 128}, mib: 704 + 133.80,
	}, {
		name: "Kimi-Linear-48B-A3B", architecture: "kimi-linear", layers: 27, embedding: 2304,
		numbers: numbers{
			keyHeads: 32, keyKeyLength: 576, keyValueLength: 512, keyKeyLengthMLA: 192, keyValueLengthMLA: 128, keyConvolution: 4, keyKDAHead: 128,
		},
		lists: lists{keyHeadsKV: letters("kkkakkkakkkakkkakkkakkkakka", "a", 1)},
		want:  Layout{Full: 7 * 576, State: 4 * 20 * (3*3*32*128 + 128*128*32), HeadUnit: 64}, mib: 126 + 42.81,
	}, {
		name: "DeepSeek-Coder-V2-Lite", architecture: "deepseek2", layers: 27, embedding: 2048,
		numbers: numbers{keyHeads: 16, keyHeadsKV: 1, keyKeyLength: 576, keyValueLength: 512, keyKeyLengthMLA: 192, keyValueLengthMLA: 128},
		want:    Layout{Full: 27 * 576, HeadUnit: 64}, mib: 486,
	}, {
		name: "DeepSeek-Coder-V2-Lite of before MLA", architecture: "deepseek2", layers: 27, embedding: 2048,
		numbers: numbers{keyHeads: 16, keyHeadsKV: 16, keyKeyLength: 192, keyValueLength: 128},
		want:    Layout{Full: 27 * 16 * (192 + 128), HeadUnit: 64}, mib: 4320,
	}, {
		name: "falcon-mamba-7b", architecture: "mamba", layers: 64, embedding: 4096,
		numbers: numbers{keyHeads: 0, keyInner: 8192, keyState: 16, keyConvolution: 4},
		want:    Layout{State: 4 * 64 * (3*8192 + 16*8192)}, mib: 38,
	}, {
		name: "Mamba-Codestral-7B", architecture: "mamba2", layers: 64, embedding: 4096,
		numbers: numbers{keyHeads: 0, keyInner: 8192, keyState: 128, keyConvolution: 4, keyGroups: 8},
		want:    Layout{State: 4 * 64 * (3*(8192+2*8*128) + 128*8192)}, mib: 263.5,
	}, {
		name: "RWKV7-World-2.9B", architecture: "rwkv7", layers: 32, embedding: 2560,
		numbers: numbers{keyHeads: 0, keyWKVHead: 64},
		want:    Layout{State: 4 * 32 * (2*2560 + 64*2560)}, mib: 20.62,
	}, {
		name: "GLM-4.5-Air, whose layer for drafts has a cache", architecture: "glm4moe", layers: 47, embedding: 4096,
		numbers: with(heads(96, 8, 128), numbers{keyDraftLayers: 1}),
		want:    Layout{Full: 47 * 8 * (128 + 128), HeadUnit: 128}, mib: 3008,
	}, {
		name: "Qwen3.5-27B, whose layer for drafts has none", architecture: "qwen35", layers: 65, embedding: 5120,
		numbers: with(heads(24, 4, 256), numbers{keyDraftLayers: 1, keyInner: 6144, keyState: 128, keyConvolution: 4, keyGroups: 16}),
		want:    Layout{Full: 16 * 4 * (256 + 256), State: 4 * 48 * (3*(6144+2*16*128) + 128*6144), HeadUnit: 256}, mib: 1024 + 149.62,
	},
}

// takes returns what llama.cpp allocates for a context of 16384 tokens in f16: its cells are a
// multiple of 256, and those of a window hold it and a batch of 512.
func (l Layout) takes() uint64 {
	window := min(context, (l.Window+512+255)/256*256)
	return 2*(context*l.Full+window*l.Windowed) + l.State
}

func TestPublishedModels(t *testing.T) {
	for _, tt := range published {
		t.Run(tt.name, func(t *testing.T) {
			tt.numbers[keyEmbedding] = tt.embedding
			h := gguf.Header{
				Architecture: tt.architecture, BlockCount: tt.layers, EmbeddingLength: tt.embedding, Numbers: tt.numbers, Lists: tt.lists,
			}
			require.NoError(t, Check(h))
			got := Of(h)
			assert.Equal(t, tt.want, got)
			assert.InDelta(t, tt.mib, float64(got.takes())/mib, 0.02)
		})
	}
}

// read returns the header of a file with the metadata in testdata.
func read(t *testing.T, path string) gguf.Header {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	var metadata map[string]any
	require.NoError(t, json.Unmarshal(text, &metadata))
	file := gguftest.File(metadata)
	header, err := gguf.Read(bytes.NewReader(file), int64(len(file)))
	require.NoError(t, err)
	return header
}

// The metadata of real files.
func TestMetadataOfFiles(t *testing.T) {
	for name, want := range map[string]Layout{
		"gemma4-12b":             {Full: 8 * 1 * (512 + 512), Windowed: 40 * 8 * (256 + 256), Window: 1024, HeadUnit: 256},
		"gpt-oss-20b":            {Full: 12 * 8 * (64 + 64), Windowed: 12 * 8 * (64 + 64), Window: 128, HeadUnit: 64},
		"qwen3-coder-next":       {Full: 12 * 2 * (256 + 256), State: 4 * 36 * (3*(4096+2*16*128) + 128*4096), HeadUnit: 256},
		"deepseek-coder-v2-lite": {Full: 27 * 576, HeadUnit: 64},
		"falcon-mamba-7b":        {State: 4 * 64 * (3*8192 + 16*8192)},
	} {
		t.Run(name, func(t *testing.T) {
			h := read(t, filepath.Join("testdata", name+".json"))
			require.NoError(t, Check(h))
			assert.Equal(t, want, Of(h))
		})
	}
}

// llama.cpp's own rules, where no published model above shows them, with four layers.
func TestRulesOfWindows(t *testing.T) {
	listed := lists{keyPattern: {1, 0, 0, 1}}
	for name, tt := range map[string]struct {
		architecture           string
		numbers                numbers
		lists                  lists
		full, windowed, window uint64
	}{
		"a size that is built in":             {"gemma2", nil, nil, 2, 2, 4096},
		"a size of the file counts more":      {"gemma2", numbers{keyWindow: 512}, nil, 2, 2, 512},
		"0 is no window":                      {"gemma3", numbers{keyWindow: 0}, nil, 4, 0, 0},
		"no size is no window":                {"gemma3", nil, nil, 4, 0, 0},
		"0 switches off what is built in":     {"llama4", numbers{keyWindow: 0}, nil, 4, 0, 0},
		"a size that files cannot change":     {"llama4", numbers{keyWindow: 512}, nil, 1, 3, 8192},
		"a size only for files that have one": {"smallthinker", nil, nil, 4, 0, 0},
		"the period of the file":              {"gpt-oss", numbers{keyWindow: 128, keyPattern: 4}, nil, 1, 3, 128},
		"the first of a period":               {"laguna", numbers{keyWindow: 128, keyPattern: 3}, nil, 2, 2, 128},
		"a period of 0 is all":                {"gpt-oss", numbers{keyWindow: 128, keyPattern: 0}, nil, 0, 4, 128},
		"a period of 1 is none":               {"gpt-oss", numbers{keyWindow: 128, keyPattern: 1}, nil, 4, 0, 0},
		"a list":                              {"mimo2", numbers{keyWindow: 128}, listed, 2, 2, 128},
		"a list in place of a period":         {"mellum", numbers{keyWindow: 128}, listed, 2, 2, 128},
		"a list that llama.cpp ignores":       {"gemma3", numbers{keyWindow: 128}, lists{keyPattern: {0, 0, 0, 0}}, 0, 4, 128},
		"a flag for all layers":               {"gemma4", numbers{keyWindow: 128, keyPattern: 1}, nil, 0, 4, 128},
		"neither flag nor list":               {"gemma4", numbers{keyWindow: 128}, nil, 4, 0, 0},
		"an architecture without windows":     {"qwen2", numbers{keyWindow: 128}, listed, 4, 0, 0},
		"a model of another size":             {"exaone4", numbers{keyWindow: 128}, nil, 4, 0, 0},
		"layers for drafts have none":         {"gpt-oss", numbers{keyWindow: 128, keyDraftLayers: 3}, nil, 3, 1, 128},
		"a layer for drafts without a cache":  {"mimo2", numbers{keyWindow: 128, keyDraftLayers: 1}, listed, 2, 1, 128},
	} {
		t.Run(name, func(t *testing.T) {
			h := gguf.Header{Architecture: tt.architecture, BlockCount: 4, Lists: tt.lists, Numbers: with(numbers{
				keyHeads: 1, keyKeyLength: 16, keyValueLength: 16, keyKeyLength + windowedSuffix: 8, keyValueLength + windowedSuffix: 8,
			}, tt.numbers)}
			require.NoError(t, Check(h))
			unit := uint64(16)
			if tt.windowed > 0 {
				unit = 8
			}
			assert.Equal(t, Layout{Full: tt.full * (16 + 16), Windowed: tt.windowed * (8 + 8), Window: tt.window, HeadUnit: unit}, Of(h))
		})
	}
}

func TestRulesOfRecurrence(t *testing.T) {
	const attention, state = 16 + 16, 4 * 10 * 100
	for name, tt := range map[string]struct {
		architecture string
		numbers      numbers
		lists        lists
		full, states uint64
	}{
		"the interval that is built in":       {"qwen35", nil, nil, 1, 3},
		"the interval of the file":            {"qwen35", numbers{keyInterval: 2}, nil, 2, 2},
		"a list of recurrent layers":          {"qwen3next", nil, lists{keyRecurrent: {0, 1, 0, 0}}, 3, 1},
		"the layer for drafts has nothing":    {"qwen35moe", numbers{keyDraftLayers: 1}, nil, 0, 3},
		"an interval of 0":                    {"qwen35", numbers{keyInterval: 0}, nil, 4, 0},
		"heads are ignored where all recur":   {"mamba", nil, nil, 0, 4},
		"neither heads nor states":            {"nemotron_h", nil, lists{keyHeadsKV: {1, 0, 0, 0}, keyFeedForward: {0, 0, 7, 7}}, 1, 1},
		"states are not looked for in others": {"llama", nil, lists{keyHeadsKV: {1, 0, 0, 0}}, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			h := gguf.Header{Architecture: tt.architecture, BlockCount: 4, Lists: tt.lists, Numbers: with(numbers{
				keyHeads: 1, keyKeyLength: 16, keyValueLength: 16, keyInner: 100, keyState: 10,
			}, tt.numbers)}
			require.NoError(t, Check(h))
			assert.Equal(t, Layout{Full: tt.full * attention, State: tt.states * state, HeadUnit: 16}, Of(h))
		})
	}
}

func TestRulesOfHeads(t *testing.T) {
	for name, tt := range map[string]struct {
		architecture string
		numbers      numbers
		full         uint64
	}{
		"as many key heads as heads":              {"llama", numbers{keyHeads: 4}, 2 * 4 * (16 + 16)},
		"lengths that the embedding gives":        {"llama", numbers{keyHeads: 4, keyHeadsKV: 1}, 2 * (16 + 16)},
		"keys and values of different lengths":    {"llama", numbers{keyHeads: 4, keyKeyLength: 24, keyValueLength: 8}, 2 * 4 * (24 + 8)},
		"a head to find tokens with":              {"minimax-m3", numbers{keyHeads: 4, keyIndexer: 8}, 2 * (4*(16+16) + 8 + 16)},
		"a head to find tokens with, and latents": {"glm-dsa", numbers{keyHeads: 1, keyIndexer: 8, keyKeyLengthMLA: 9, keyValueLengthMLA: 9}, 2 * (64 + 8)},
		"layers that are gone through twice":      {"nanbeige", numbers{keyHeads: 4, keyLoops: 2}, 2 * 2 * 4 * (16 + 16)},
		"an architecture of tomorrow":             {"unheard-of", numbers{keyHeads: 4, keyWindow: 8}, 2 * 4 * (16 + 16)},
	} {
		t.Run(name, func(t *testing.T) {
			h := gguf.Header{Architecture: tt.architecture, BlockCount: 2, EmbeddingLength: 64, Numbers: tt.numbers}
			require.NoError(t, Check(h))
			assert.Equal(t, tt.full, Of(h).Full)
		})
	}
}

func TestNumbersThatMakeNoCache(t *testing.T) {
	for want, h := range map[string]gguf.Header{
		"0 layers, expected 1 to 512":                                     {BlockCount: 0},
		"513 layers, expected 1 to 512":                                   {BlockCount: 513},
		"attention.head_count_kv is 1073741824, at most 1024 is expected": {BlockCount: 1, Numbers: numbers{keyHeadsKV: 1 << 30}},
		"attention.head_count is 5000":                                    {BlockCount: 2, Lists: lists{keyHeads: {1, 5000}}},
		"lists attention.head_count_kv for 1 of 2 layers":                 {BlockCount: 2, Lists: lists{keyHeadsKV: {1}}},
		"ssm.state_size is 1048576":                                       {BlockCount: 1, Architecture: "mamba", Numbers: numbers{keyState: 1 << 20}},
		"attention, with keys of 0 numbers and values of 8":               {BlockCount: 1, Architecture: "llama", Numbers: numbers{keyHeads: 1, keyValueLength: 8}},
		"attention, with keys of 0 numbers and values of 0":               {BlockCount: 1, Architecture: "jamba"},
		"attention.key_length_swa is 131072":                              {BlockCount: 1, Numbers: numbers{keyHeads: 1, keyKeyLength: 1, keyValueLength: 1, keyKeyLength + windowedSuffix: 1 << 17}},
		"embedding_length is 1099511627776, at most 65536 is expected":    {BlockCount: 1, Numbers: numbers{keyEmbedding: 1 << 40}},
	} {
		assert.ErrorContains(t, Check(h), want)
	}
}

// The largest numbers that are accepted do not overflow with the largest context in q8_0, whose
// 34 bytes hold 32 numbers, and as many checkpoints as are kept.
func TestNothingOverflows(t *testing.T) {
	for name := range architectures {
		for _, lengths := range []bool{false, true} {
			h := gguf.Header{Architecture: name, BlockCount: maxLayers, EmbeddingLength: limits[keyEmbedding], Numbers: numbers{}}
			for key, limit := range limits {
				h.Numbers[key] = limit
			}
			if !lengths {
				h.Numbers[keyHeads] = 1
				delete(h.Numbers, keyKeyLength)
				delete(h.Numbers, keyValueLength)
			}
			require.NoError(t, Check(h))
			got := Of(h)
			const tokens, most = 1 << 17, uint64(1) << 63
			assert.Less(t, max(got.Full, got.Windowed), most/(tokens*34), name)
			assert.Less(t, got.State, most/64, name)
		}
	}
}
