package gguftest

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/model/gguf"
)

// Types of tensors, numbered as in the file.
const (
	f32   gguf.TensorType = 0
	q5_0  gguf.TensorType = 6
	q8_0  gguf.TensorType = 8
	q4K   gguf.TensorType = 12
	q6K   gguf.TensorType = 14
	mxfp4 gguf.TensorType = 39
)

// Published returns the file of a model with every tensor that llama.cpp v0.4.0 wants of it
// (load_arch_tensors in its models/*.cpp), in the types that llama-quantize gives them. The numbers
// are those of the config.json that the model's publisher has at Hugging Face.
func Published(id string) Model { return byID(id).model() }

// Narrow returns a model with the heads, windows and states of a published one and little else, which any
// machine computes in a moment. All its weights are 0.
func Narrow(id string) Model {
	const width = 256 // the block of a quantized type
	s := byID(id)
	s.layers = min(s.layers, 6)
	s.embedding, s.forward, s.vocabulary = width, min(s.forward, width), width
	s.experts, s.expert, s.shared = s.used, min(s.expert, width), min(s.shared, width)
	if s.architecture == "granitehybrid" { // which cannot have another ratio
		s.ssm.inner, s.ssm.rank = 2*width, 8
	}
	return s.model()
}

func byID(id string) shape {
	s, known := published[id]
	if !known {
		panic("gguftest: no model " + id)
	}
	return s
}

// IDs returns the names that Published knows: those of the catalogue, and siblings that
// arrange their caches in other ways.
func IDs() []string {
	return slices.Sorted(maps.Keys(published))
}

// shape is what a model is made of. Numbers are dimensions unless stated otherwise.
type shape struct {
	architecture                   string
	layers, embedding, vocabulary  uint64
	context                        uint64 // tokens
	heads, headsKV, key, value     uint64
	forward                        uint64
	experts, used, expert, shared  uint64 // used, of experts; shared and expert are dimensions
	window                         uint64 // tokens
	tied, biased, normed, postNorm bool
	mxfp4                          bool
	// attention tells which layers attend, if not all do.
	attention func(layer uint64) bool
	ssm       ssm
	latent    latent
	// draft layers come after the others.
	draft  uint64
	gemma4 gemma4
	// more are other numbers of the metadata.
	more map[string]any
}

// ssm is a recurrent layer's.
type ssm struct{ kernel, inner, state, rank, groups uint64 }

// latent is multi-head latent attention's.
type latent struct{ query, kv, rope, key, value, denseLayers uint64 }

// gemma4 is what only Gemma 4 has: layers with a window, all but the last of each period, have other heads.
type gemma4 struct {
	period, headsKV, key uint64
	// perLayer is how wide the embeddings are that each layer has of its own.
	perLayer uint64
	// sharing layers, the last ones, use the cache of others.
	sharing uint64
}

func each(period, offset uint64) func(uint64) bool {
	return func(layer uint64) bool { return layer%period == offset }
}

var published = map[string]shape{
	"devstral-small-2": {
		architecture: "mistral3", layers: 40, embedding: 5120, vocabulary: 131072, context: 393216,
		heads: 32, headsKV: 8, key: 128, value: 128, forward: 32768,
	},
	"qwen2.5-coder-0.5b": {
		architecture: "qwen2", layers: 24, embedding: 896, vocabulary: 151936, context: 32768,
		heads: 14, headsKV: 2, key: 64, value: 64, forward: 4864, biased: true,
	},
	"qwen2.5-coder-1.5b": {
		architecture: "qwen2", layers: 28, embedding: 1536, vocabulary: 151936, context: 32768,
		heads: 12, headsKV: 2, key: 128, value: 128, forward: 8960, biased: true,
	},
	"qwen2.5-coder-7b": {
		architecture: "qwen2", layers: 28, embedding: 3584, vocabulary: 152064, context: 131072,
		heads: 28, headsKV: 4, key: 128, value: 128, forward: 18944, biased: true,
	},
	"qwen3-coder-30b-a3b": {
		architecture: "qwen3moe", layers: 48, embedding: 2048, vocabulary: 151936, context: 262144,
		heads: 32, headsKV: 4, key: 128, value: 128, forward: 5472, experts: 128, used: 8, expert: 768, normed: true,
	},
	"gpt-oss-20b": {
		architecture: "gpt-oss", layers: 24, embedding: 2880, vocabulary: 201088, context: 131072,
		heads: 64, headsKV: 8, key: 64, value: 64, forward: 2880, experts: 32, used: 4, expert: 2880, window: 128, biased: true, mxfp4: true,
	},
	"glm-4.7-flash":              glm47Flash(0),
	"glm-4.7-flash with a draft": glm47Flash(1),
	"granite-4.0-h-small": {
		architecture: "granitehybrid", layers: 40, embedding: 4096, vocabulary: 100352, context: 131072,
		heads: 32, headsKV: 8, key: 128, value: 128, forward: 768, experts: 72, used: 10, expert: 768, shared: 1536, tied: true,
		attention: each(10, 5), ssm: ssm{kernel: 4, inner: 8192, state: 128, rank: 128, groups: 1},
	},
	"llama-3.1-8b": {
		architecture: "llama", layers: 32, embedding: 4096, vocabulary: 128256, context: 131072,
		heads: 32, headsKV: 8, key: 128, value: 128, forward: 14336,
	},
	"gemma-2-9b": {
		architecture: "gemma2", layers: 42, embedding: 3584, vocabulary: 256000, context: 8192,
		heads: 16, headsKV: 8, key: 256, value: 256, forward: 14336, window: 4096, tied: true, postNorm: true,
	},
	"gemma-3-12b": {
		architecture: "gemma3", layers: 48, embedding: 3840, vocabulary: 262208, context: 131072,
		heads: 16, headsKV: 8, key: 256, value: 256, forward: 15360, window: 1024, tied: true, normed: true, postNorm: true,
	},
	"gemma-4-26b-a4b": {
		architecture: "gemma4", layers: 30, embedding: 2816, vocabulary: 262144, context: 262144,
		heads: 16, headsKV: 2, key: 512, value: 512, forward: 2112, experts: 128, used: 8, expert: 704, window: 1024, tied: true, normed: true, postNorm: true,
		gemma4: gemma4{period: 6, headsKV: 8, key: 256},
	},
	"gemma-4-e4b": {
		architecture: "gemma4", layers: 42, embedding: 2560, vocabulary: 262144, context: 131072,
		heads: 8, headsKV: 2, key: 512, value: 512, forward: 10240, window: 512, tied: true, normed: true, postNorm: true,
		gemma4: gemma4{period: 6, headsKV: 2, key: 256, perLayer: 256, sharing: 18},
	},
	"qwen3-coder-next": {
		architecture: "qwen3next", layers: 48, embedding: 2048, vocabulary: 151936, context: 262144,
		heads: 16, headsKV: 2, key: 256, value: 256, forward: 5120, experts: 512, used: 10, expert: 512, shared: 512, normed: true,
		attention: each(4, 3), ssm: ssm{kernel: 4, inner: 4096, state: 128, rank: 32, groups: 16},
	},
	"falcon-h1-7b": {
		architecture: "falcon-h1", layers: 44, embedding: 3072, vocabulary: 130049, context: 262144,
		heads: 12, headsKV: 2, key: 128, value: 128, forward: 12288,
		ssm: ssm{kernel: 4, inner: 3072, state: 256, rank: 24, groups: 1},
	},
	"lfm2-1.2b": {
		architecture: "lfm2", layers: 16, embedding: 2048, vocabulary: 65536, context: 128000,
		heads: 32, headsKV: 8, key: 64, value: 64, forward: 8192, tied: true, normed: true,
		attention: func(layer uint64) bool { return slices.Contains([]uint64{2, 5, 8, 10, 12, 14}, layer) },
		more:      map[string]any{"shortconv.l_cache": 3.0},
	},
	"mamba-codestral-7b": {
		architecture: "mamba2", layers: 64, embedding: 4096, vocabulary: 32768, context: 1 << 20,
		attention: func(uint64) bool { return false }, ssm: ssm{kernel: 4, inner: 8192, state: 128, rank: 128, groups: 8},
	},
}

func glm47Flash(draft uint64) shape {
	return shape{
		architecture: "deepseek2", layers: 47 + draft, embedding: 2048, vocabulary: 154880, context: 202752,
		heads: 20, headsKV: 1, key: 576, value: 512, forward: 10240, experts: 64, used: 4, expert: 1536, shared: 1536, draft: draft,
		latent: latent{query: 768, kv: 512, rope: 64, key: 256, value: 256, denseLayers: 1},
	}
}

func (s shape) model() Model { return Model{s.metadata(), s.tensors()} }

func (s shape) metadata() map[string]any {
	all := map[string]any{
		"general.architecture": s.architecture, "general.file_type": 15.0, // Q4_K_M
		"tokenizer.ggml.model": "no_vocab",
	}
	set := func(key string, value any) {
		if number, ok := value.(uint64); ok {
			if number == 0 {
				return
			}
			value = float64(number)
		}
		all[s.architecture+"."+key] = value
	}
	set("vocab_size", s.vocabulary)
	set("block_count", s.layers)
	set("context_length", s.context)
	set("embedding_length", s.embedding)
	set("feed_forward_length", s.forward)
	set("attention.layer_norm_rms_epsilon", float32(1e-5))
	all[s.architecture+".attention.head_count"] = float64(s.heads)
	set("attention.head_count_kv", s.headsKV)
	set("attention.key_length", s.key)
	set("attention.value_length", s.value)
	set("attention.sliding_window", s.window)
	set("rope.dimension_count", s.rope())
	set("expert_count", s.experts)
	set("expert_used_count", s.used)
	set("expert_feed_forward_length", s.expert)
	set("nextn_predict_layers", s.draft)
	set("ssm.conv_kernel", s.ssm.kernel)
	set("ssm.inner_size", s.ssm.inner)
	set("ssm.state_size", s.ssm.state)
	set("ssm.time_step_rank", s.ssm.rank)
	set("ssm.group_count", s.ssm.groups)
	if s.latent.kv > 0 {
		set("attention.q_lora_rank", s.latent.query)
		set("attention.kv_lora_rank", s.latent.kv)
		set("attention.key_length_mla", s.latent.key)
		set("attention.value_length_mla", s.latent.value)
		set("leading_dense_block_count", s.latent.denseLayers)
		set("expert_shared_count", uint64(1))
	} else {
		set("expert_shared_feed_forward_length", s.shared)
	}
	// Qwen3-Next has a rule of its own for which layers attend, and mamba2 none that do.
	if s.attention != nil && s.headsKV > 0 && s.architecture != "qwen3next" {
		heads := make([]any, s.layers)
		for layer := range heads {
			heads[layer] = 0.0
			if s.attention(uint64(layer)) {
				heads[layer] = float64(s.headsKV)
			}
		}
		set("attention.head_count_kv", heads)
	}
	if s.gemma4.period > 0 {
		pattern, heads := make([]any, s.layers), make([]any, s.layers)
		for layer := range s.layers {
			pattern[layer], heads[layer] = s.windowed(layer), float64(s.atLayer(layer).headsKV)
		}
		set("attention.sliding_window_pattern", pattern)
		set("attention.head_count_kv", heads)
		set("attention.key_length_swa", s.gemma4.key)
		set("attention.value_length_swa", s.gemma4.key)
		set("rope.dimension_count_swa", s.gemma4.key)
		all["gemma4.embedding_length_per_layer_input"] = float64(s.gemma4.perLayer)
		set("attention.shared_kv_layers", s.gemma4.sharing)
	}
	for key, value := range s.more {
		set(key, value)
	}
	return all
}

// windowed reports whether a layer of Gemma 4 sees only the latest tokens.
func (s shape) windowed(layer uint64) bool {
	return s.gemma4.period > 0 && layer%s.gemma4.period < s.gemma4.period-1
}

// atLayer returns the shape with the heads of a layer.
func (s shape) atLayer(layer uint64) shape {
	if s.windowed(layer) {
		s.headsKV, s.key, s.value = s.gemma4.headsKV, s.gemma4.key, s.gemma4.key
	}
	return s
}

func (s shape) rope() uint64 {
	if s.latent.rope > 0 {
		return s.latent.rope
	}
	return s.key
}

// table collects tensors.
type table struct {
	shape
	all   []gguf.Tensor
	layer uint64
}

func (t *table) add(name string, kind gguf.TensorType, dimensions ...uint64) {
	t.all = append(t.all, gguf.Tensor{Name: name, Type: kind, Dimensions: dimensions})
}

// norm adds something that is not a matrix.
func (t *table) norm(name string, dimensions ...uint64) {
	t.add(fmt.Sprintf("blk.%d.%s", t.layer, name), f32, dimensions...)
}

// matrix adds one in 4 bits, or with 6 where llama-quantize finds that worth it.
func (t *table) matrix(name string, dimensions ...uint64) {
	kind, n := q4K, t.layers
	fine := t.layer < n/8 || t.layer >= 7*n/8 || (t.layer-n/8)%3 == 2
	if fine && (strings.HasPrefix(name, "attn_v") || strings.HasPrefix(name, "ffn_down")) {
		kind = q6K
	}
	switch {
	case t.mxfp4 && len(dimensions) == 3:
		kind = mxfp4
	case t.mxfp4:
		kind = q8_0
	case dimensions[0]%256 != 0 && kind == q6K, dimensions[0]%32 != 0:
		kind = q8_0
	case dimensions[0]%256 != 0:
		kind = q5_0
	}
	t.add(fmt.Sprintf("blk.%d.%s.weight", t.layer, name), kind, dimensions...)
}

func (s shape) tensors() []gguf.Tensor {
	t := &table{shape: s}
	embeddings, output := q4K, q6K
	if s.embedding%256 != 0 {
		embeddings, output = q5_0, q8_0
	}
	if s.tied {
		embeddings = output
	}
	t.add("token_embd.weight", map[bool]gguf.TensorType{true: q8_0, false: embeddings}[s.mxfp4], s.embedding, s.vocabulary)
	if !s.tied {
		t.add("output.weight", output, s.embedding, s.vocabulary)
	}
	t.add(map[bool]string{true: "token_embd_norm.weight", false: "output_norm.weight"}[s.architecture == "lfm2"], f32, s.embedding)
	if s.gemma4.period > 0 {
		t.add("rope_freqs.weight", f32, s.key/2)
	}
	if width := s.gemma4.perLayer; width > 0 {
		t.add("per_layer_token_embd.weight", q6K, width*s.layers, s.vocabulary)
		t.add("per_layer_model_proj.weight", q4K, s.embedding, width*s.layers)
		t.add("per_layer_proj_norm.weight", f32, width)
	}
	for t.layer = range s.layers {
		t.shape = s.atLayer(t.layer)
		t.norm("attn_norm.weight", s.embedding)
		attends := s.attention == nil || s.attention(t.layer)
		switch {
		case s.latent.kv > 0:
			t.latentAttention()
		case attends && s.heads > 0:
			t.selfAttention()
		}
		switch {
		case s.more["shortconv.l_cache"] != nil && !attends:
			t.shortConvolution()
		case s.architecture == "qwen3next" && !attends:
			t.deltaNet()
		case s.ssm.inner > 0 && (!attends || s.attention == nil):
			t.mamba2()
		}
		t.feedForward()
		if t.layer >= s.layers-s.draft {
			t.matrix("nextn.eh_proj", 2*s.embedding, s.embedding)
			t.norm("nextn.enorm.weight", s.embedding)
			t.norm("nextn.hnorm.weight", s.embedding)
		}
	}
	return t.all
}

func (t *table) selfAttention() {
	query := t.heads * t.key
	if t.architecture == "qwen3next" {
		query *= 2 // and a gate
	}
	t.matrix("attn_q", t.embedding, query)
	t.matrix("attn_k", t.embedding, t.headsKV*t.key)
	t.matrix("attn_v", t.embedding, t.headsKV*t.value)
	t.matrix("attn_output", t.heads*t.value, t.embedding)
	if t.biased {
		t.norm("attn_q.bias", query)
		t.norm("attn_k.bias", t.headsKV*t.key)
		t.norm("attn_v.bias", t.headsKV*t.value)
	}
	if t.normed {
		t.norm("attn_q_norm.weight", t.key)
		t.norm("attn_k_norm.weight", t.key)
	}
	if t.architecture == "gpt-oss" {
		t.norm("attn_output.bias", t.embedding)
		t.norm("attn_sinks.weight", t.heads)
	}
}

func (t *table) latentAttention() {
	l := t.latent
	t.matrix("attn_q_a", t.embedding, l.query)
	t.norm("attn_q_a_norm.weight", l.query)
	t.matrix("attn_q_b", l.query, t.heads*l.key)
	t.matrix("attn_kv_a_mqa", t.embedding, l.kv+l.rope)
	t.norm("attn_kv_a_norm.weight", l.kv)
	t.matrix("attn_k_b", l.key-l.rope, l.kv, t.heads)
	t.matrix("attn_v_b", l.kv, l.value, t.heads)
	t.matrix("attn_output", t.heads*l.value, t.embedding)
}

func (t *table) shortConvolution() {
	t.norm("shortconv.conv.weight", 3, t.embedding)
	t.matrix("shortconv.in_proj", t.embedding, 3*t.embedding)
	t.matrix("shortconv.out_proj", t.embedding, t.embedding)
}

func (t *table) mamba2() {
	convolved := t.ssm.inner + 2*t.ssm.groups*t.ssm.state
	t.matrix("ssm_in", t.embedding, t.ssm.inner+convolved+t.ssm.rank)
	t.norm("ssm_conv1d.weight", t.ssm.kernel, convolved)
	t.norm("ssm_conv1d.bias", convolved)
	t.norm("ssm_dt.bias", t.ssm.rank)
	t.norm("ssm_a", 1, t.ssm.rank)
	t.norm("ssm_d", 1, t.ssm.rank)
	t.norm("ssm_norm.weight", t.ssm.inner/t.ssm.groups, t.ssm.groups)
	t.matrix("ssm_out", t.ssm.inner, t.embedding)
}

// deltaNet is Qwen3-Next's recurrent layer.
func (t *table) deltaNet() {
	convolved := t.ssm.inner + 2*t.ssm.groups*t.ssm.state
	t.matrix("attn_qkv", t.embedding, convolved)
	t.matrix("attn_gate", t.embedding, t.ssm.inner)
	t.norm("ssm_conv1d.weight", t.ssm.kernel, convolved)
	t.norm("ssm_dt.bias", t.ssm.rank)
	t.norm("ssm_a", t.ssm.rank)
	t.matrix("ssm_ba", t.embedding, 2*t.ssm.rank)
	t.norm("ssm_norm.weight", t.ssm.state)
	t.matrix("ssm_out", t.ssm.inner, t.embedding)
}

func (t *table) feedForward() {
	if t.forward == 0 {
		return
	}
	norm := "ffn_norm.weight"
	switch t.architecture {
	case "qwen3next", "gpt-oss":
		norm = "post_attention_norm.weight"
	case "falcon-h1":
		norm = "ffn_norm"
	}
	t.norm(norm, t.embedding)
	if t.postNorm {
		t.norm("post_attention_norm.weight", t.embedding)
		t.norm("post_ffw_norm.weight", t.embedding)
	}
	if width := t.gemma4.perLayer; width > 0 {
		t.matrix("inp_gate", t.embedding, width)
		t.matrix("proj", width, t.embedding)
		t.norm("post_norm.weight", t.embedding)
	}
	if t.experts == 0 || t.layer < t.latent.denseLayers || t.gemma4.period > 0 {
		t.gated("", t.forward)
	}
	if t.experts == 0 || t.layer < t.latent.denseLayers {
		return
	}
	t.norm("ffn_gate_inp.weight", t.embedding, t.experts)
	t.gated("_exps", t.expert, t.experts)
	if t.shared > 0 {
		t.gated("_shexp", t.shared)
	}
	switch t.architecture {
	case "qwen3next":
		t.norm("ffn_gate_inp_shexp.weight", t.embedding)
	case "deepseek2":
		t.norm("exp_probs_b.bias", t.experts)
	case "gemma4":
		t.norm("ffn_gate_inp.scale", t.embedding)
		t.norm("pre_ffw_norm_2.weight", t.embedding)
		t.norm("post_ffw_norm_1.weight", t.embedding)
		t.norm("post_ffw_norm_2.weight", t.embedding)
	case "gpt-oss":
		t.norm("ffn_gate_inp.bias", t.experts)
		t.norm("ffn_gate_exps.bias", t.expert, t.experts)
		t.norm("ffn_up_exps.bias", t.expert, t.experts)
		t.norm("ffn_down_exps.bias", t.embedding, t.experts)
	}
}

// gated adds a feed-forward network with a gate, or several.
func (t *table) gated(suffix string, width uint64, several ...uint64) {
	t.matrix("ffn_gate"+suffix, append([]uint64{t.embedding, width}, several...)...)
	t.matrix("ffn_up"+suffix, append([]uint64{t.embedding, width}, several...)...)
	t.matrix("ffn_down"+suffix, append([]uint64{width, t.embedding}, several...)...)
}
