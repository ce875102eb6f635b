package fit

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

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
	assert.Equal(t, uint64(504+334/36), weights(h)/mib, "with AMX copies are larger")
	// 67 MiB of buffers were in use with a context of 4096.
	assert.Equal(t, uint64(88+4+1), sizes(h).compute(4096, 1+Draft)/mib)
}

// Sizes of the files in Q4_K_M, in GB: Hugging Face.
func TestWeights(t *testing.T) {
	for name, tt := range map[string]struct {
		shape shape
		want  float64
	}{
		"8B": {llama8B, 4.92}, "14B": {qwen14B, 8.99}, "24B": {devstral, 14.33},
	} {
		size := uint64(0)
		for _, tensor := range tt.shape.header().Tensors {
			size += tensor.Size
		}
		assert.InEpsilon(t, tt.want*1e9, size, 0.01, name)
	}
}

func TestSharedEmbeddingsCountTwice(t *testing.T) {
	h := gguf.Header{Tensors: []gguf.Tensor{
		{Name: "token_embd.weight", Dimensions: []uint64{64, 100}, Size: 7},
		{Name: "blk.0.ffn_down_exps.weight", Dimensions: []uint64{300, 64, 1 << 20}, Size: 5},
		{Name: "rope_freqs.weight", Dimensions: []uint64{1 << 20}, Size: 1},
	}}
	assert.Equal(t, uint64(7+7+5+1), weights(h))
	h.Tensors = append(h.Tensors, gguf.Tensor{Name: "output.weight", Dimensions: []uint64{64, 100}, Size: 9})
	assert.Equal(t, uint64(7+5+1+9), weights(h))
}

func TestCopiesForAMXAreLarger(t *testing.T) {
	matrix := func(name string, kind gguf.TensorType, dimensions ...uint64) gguf.Header {
		tensor := gguf.Tensor{Name: name, Type: kind, Dimensions: dimensions}
		size, err := tensor.Bytes()
		require.NoError(t, err)
		tensor.Size = size
		return gguf.Header{Tensors: []gguf.Tensor{{Name: "output.weight", Size: 1}, tensor}}
	}
	for name, tt := range map[string]struct {
		file gguf.Header
		want uint64
	}{
		"Q4_K":       {matrix("blk.0.attn_q.weight", 12, 512, 8), 2 * 8 * (144 + 4)},
		"Q5_K":       {matrix("blk.0.attn_q.weight", 13, 512, 8), 2 * 8 * (176 + 4)},
		"Q8_0":       {matrix("blk.0.attn_q.weight", 8, 512, 8), 16 * 8 * (34 + 4)},
		"IQ4_XS":     {matrix("blk.0.attn_q.weight", 23, 512, 8), 2 * 8 * (136 + 2)},
		"Q6_K":       {matrix("blk.0.attn_q.weight", 14, 512, 8), 2 * 8 * 210},
		"experts":    {matrix("blk.0.ffn_up_exps.weight", 12, 512, 8, 3), 3 * 2 * 8 * 144},
		"embeddings": {matrix("token_embd.weight", 12, 512, 8), 2 * 8 * 144},
	} {
		assert.Equal(t, tt.want+1, weights(tt.file), name)
	}
}

func TestTheWidestLayer(t *testing.T) {
	h := gguf.Header{EmbeddingLength: 64, Tensors: []gguf.Tensor{
		{Name: "token_embd.weight", Dimensions: []uint64{64, 5000}},
		{Name: "output.weight", Dimensions: []uint64{64, 5000}},
		{Name: "blk.0.attn_norm.weight", Dimensions: []uint64{64}},
		{Name: "blk.0.attn_k_b.weight", Dimensions: []uint64{128, 64, 1000}},
	}}
	const embeddings = 4 * 8 * 64
	assert.Equal(t, uint64(embeddings+(3*4+2)*128), row(h), "the third dimension counts heads")
	h.Tensors = append(h.Tensors, gguf.Tensor{Name: "blk.1.ffn_down.weight", Dimensions: []uint64{300, 64}})
	assert.Equal(t, uint64(embeddings+(3*4+2)*300), row(h), "gate, up and their product")
	h.Tensors = append(h.Tensors, gguf.Tensor{Name: "per_layer_token_embd.weight", Dimensions: []uint64{7, 5000}})
	assert.Equal(t, uint64(embeddings+4*7+(3*4+2)*300), row(h), "embeddings of layers")
	h.Tensors = h.Tensors[:len(h.Tensors)-1]
	for _, dimensions := range [][]uint64{{200, 64, 32}, {64, 200, 32}} {
		experts := h
		experts.Tensors = append(slices.Clone(h.Tensors), gguf.Tensor{Name: "blk.1.ffn_x_exps.weight", Dimensions: dimensions})
		assert.Equal(t, row(h), row(experts), "one expert is less than the other layer")
		experts.Numbers = map[string]uint64{"expert_used_count": 8}
		assert.Equal(t, uint64(embeddings+8*4*(64+3*200)+8*8*32+2*300), row(experts), "as many as are asked, and who asks them")
	}
	experts := gguf.Header{EmbeddingLength: 1 << 40, Tensors: []gguf.Tensor{{Name: "blk.0.ffn_up_exps.weight", Dimensions: []uint64{1, 1, 1}}}}
	assert.Equal(t, uint64(4*8<<40+4<<40+8), row(experts), "whatever a file says")
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
	for name, tt := range map[string]struct {
		model gguf.Header
		masks uint64
	}{
		"windows": {windowed(), 2 * (32768 + 1024 + Batch)}, "states": {recurrent(), 2 * 32768}, "neither": {devstral.header(), 2 * 32768},
		"no attention": {gguf.Header{Architecture: "mamba", BlockCount: 2, Numbers: map[string]uint64{"ssm.inner_size": 8, "ssm.state_size": 8}}, 0},
	} {
		s := sizes(tt.model)
		const context = 32768
		kept := s.kv(context, f16) + s.checkpoints(context, f16)
		assert.Equal(t, tt.masks, s.mask(context), name)
		assert.Equal(t, Batch*(s.row+tt.masks)+16*s.scores, s.compute(context, 16), name)
		assert.Equal(t, s.weights+kept+s.cache.State+s.compute(context, 16)+16*s.scores+services, s.need(context, f16), name)

		saved := s.saved(context, f16) + s.checkpoints(context, f16)
		assert.GreaterOrEqual(t, s.state(context, f16), saved, name)
		assert.LessOrEqual(t, s.state(context, f16), saved+saved/32+mib, name)
	}
}
