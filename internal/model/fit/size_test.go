package fit

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/model/gguf"
)

func TestBytesPerToken(t *testing.T) {
	for name, tt := range map[string]struct {
		shape   shape
		f16, q8 uint64
	}{
		"1B":  {llama1B, 32 << 10, 17 << 10},
		"3B":  {qwen3B, 36 << 10, 19584},
		"8B":  {llama8B, 128 << 10, 68 << 10},
		"14B": {qwen14B, 192 << 10, 102 << 10},
		"24B": {devstral, 160 << 10, 85 << 10},
	} {
		s := sizes(tt.shape.header())
		assert.Equal(t, 1024*tt.f16, s.kv(1024, f16), name)
		assert.Equal(t, 1024*tt.q8, s.kv(1024, q8), name)
		assert.Equal(t, 1280*tt.f16, s.kv(1025, f16), "%s: in steps of 256", name)
		assert.Greater(t, s.state(1024, f16), s.kv(1024, f16), name)
		assert.Zero(t, s.state(1024, f16)%mib, name)
	}
}

// Keys and values may differ in size.
func TestKeysAndValues(t *testing.T) {
	h := devstral.header()
	h.Numbers["attention.key_length"] = 192
	assert.Equal(t, uint64(256*40*8*(192+128)*2), sizes(h).kv(256, f16))
}

// The measured model took 504 MiB, of which 334 were copied; what had to stay in memory
// with a KV cache and buffers was 202 MiB more.
func TestTheMeasuredModel(t *testing.T) {
	h := measured.header()
	var copied uint64
	for _, tensor := range h.Tensors {
		if tensor.Type == q4K && strings.HasPrefix(tensor.Name, "blk.") {
			copied += tensor.Size
		}
	}
	assert.Equal(t, uint64(334), copied/mib)
	assert.Equal(t, uint64(504), weights(h)/mib)
	assert.Equal(t, uint64(110), Batch*row(h)/mib)
}

// Sizes of the files in Q4_K_M, in GB: Hugging Face.
func TestWeights(t *testing.T) {
	for name, tt := range map[string]struct {
		shape shape
		want  float64
	}{
		"8B": {llama8B, 4.92}, "14B": {qwen14B, 8.99}, "24B": {devstral, 14.33},
	} {
		assert.InEpsilon(t, tt.want*1e9, weights(tt.shape.header()), 0.01, name)
	}
}

func TestSharedEmbeddingsCountTwice(t *testing.T) {
	h := gguf.Header{Tensors: []gguf.Tensor{
		{Name: "token_embd.weight", Dimensions: []uint64{64, 100}, Size: 7},
		{Name: "blk.0.ffn_down_exps.weight", Dimensions: []uint64{300, 64, 1 << 20}, Size: 5},
		{Name: "rope_freqs.weight", Dimensions: []uint64{1 << 20}, Size: 1},
	}}
	assert.Equal(t, uint64(7+7+5+1), weights(h))
	assert.Equal(t, uint64(4*(100+3*300)), row(h), "experts are not computed all at once")
	h.Tensors = append(h.Tensors, gguf.Tensor{Name: "output.weight", Dimensions: []uint64{64, 100}, Size: 9})
	assert.Equal(t, uint64(7+5+1+9), weights(h))
}

// windowed is a model of which five layers of six see 1024 tokens alone: Gemma 4 26B-A4B, with
// the weights of its Q4_K_M.
func windowed() gguf.Header {
	const layers = 30
	h := gguf.Header{
		Architecture: "gemma4", ContextLength: 262144, EmbeddingLength: 2816, BlockCount: layers,
		Numbers: map[string]uint64{
			"attention.head_count": 16, "attention.sliding_window": 1024,
			"attention.key_length": 512, "attention.value_length": 512,
			"attention.key_length_swa": 256, "attention.value_length_swa": 256,
		},
		Lists:   map[string][]uint64{},
		Tensors: []gguf.Tensor{{Name: "token_embd.weight", Type: q6K, Dimensions: []uint64{2816, 262144}, Size: 605552640}, {Name: "blk.0.ffn_up_exps.weight", Type: q4K, Dimensions: []uint64{2816, 704, 128}, Size: 15_500_000_000}},
	}
	for layer := range layers {
		heads, window := uint64(8), uint64(1)
		if layer%6 == 5 {
			heads, window = 2, 0
		}
		h.Lists["attention.head_count_kv"] = append(h.Lists["attention.head_count_kv"], heads)
		h.Lists["attention.sliding_window_pattern"] = append(h.Lists["attention.sliding_window_pattern"], window)
	}
	return h
}

// recurrent is a model of which three layers of four keep a state: Qwen3-Coder-Next, with no
// weights to speak of.
func recurrent() gguf.Header {
	return gguf.Header{
		Architecture: "qwen3next", ContextLength: 262144, EmbeddingLength: 2048, BlockCount: 48,
		Numbers: map[string]uint64{
			"attention.head_count": 16, "attention.head_count_kv": 2, "attention.key_length": 256, "attention.value_length": 256,
			"ssm.inner_size": 4096, "ssm.state_size": 128, "ssm.conv_kernel": 4, "ssm.group_count": 16,
		},
	}
}

// The sizes are those that llama.cpp v0.4.0 logs for these models and batches of 512.
func TestWindowsAndStatesDoNotGrowWithTheContext(t *testing.T) {
	const kib = 1 << 10
	for name, tt := range map[string]struct {
		model   gguf.Header
		context int
		kind    cacheType
		want    uint64
	}{
		"a context below the window": {windowed(), 512, f16, 512 * (20 + 200) * kib},
		"a window and a batch":       {windowed(), 16384, f16, (320 + 300) * mib},
		"twice the context":          {windowed(), 32768, f16, (640 + 300) * mib},
		"windows in q8_0":            {windowed(), 16384, q8, (320 + 300) * mib * 17 / 32},
		"a state":                    {recurrent(), 16384, f16, 384*mib + 79036416},
		"twice the context, a state": {recurrent(), 32768, f16, 768*mib + 79036416},
		"states stay in 32 bits":     {recurrent(), 16384, q8, 384*mib*17/32 + 79036416},
	} {
		assert.Equal(t, tt.want, sizes(tt.model).kv(tt.context, tt.kind), name)
	}
}

// Of windows and states llama-server keeps copies, of anything else it needs none.
func TestCheckpoints(t *testing.T) {
	for name, tt := range map[string]struct {
		model   gguf.Header
		context int
		kind    cacheType
		want    uint64
	}{
		"neither windows nor states": {devstral.header(), 32768, f16, 0},
		"the window, not the batch":  {windowed(), 32768, f16, 8 * 200 * mib},
		"as the cache":               {windowed(), 32768, q8, 8 * 200 * mib * 17 / 32},
		"the whole of a context":     {windowed(), 512, f16, 6 * 100 * mib},
		"a state":                    {recurrent(), 32768, q8, 8 * 79036416},
		"not so many at first":       {recurrent(), 1024, f16, 8 * 79036416},
	} {
		s := sizes(tt.model)
		assert.Equal(t, tt.want, s.checkpoints(tt.context, tt.kind), name)
		s.cache.Windowed, s.cache.State = 0, 0
		assert.Zero(t, s.checkpoints(tt.context, tt.kind), name)
	}
}

func TestWhatIsNeededAndWhatAConversationTakes(t *testing.T) {
	for name, h := range map[string]gguf.Header{"windows": windowed(), "states": recurrent(), "neither": devstral.header()} {
		s := sizes(h)
		const context = 32768
		masks := uint64(6 * context)
		if s.cache.Window > 0 {
			masks += 6 * (1024 + Batch)
		}
		kept := s.kv(context, f16) + s.checkpoints(context, f16)
		assert.Equal(t, s.weights+kept+Batch*(s.row+masks)+services, s.need(context, f16), name)
		assert.GreaterOrEqual(t, s.state(context, f16), kept, name)
		assert.LessOrEqual(t, s.state(context, f16), kept+kept/32, name)
	}
}
