package localai

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"
)

// The keys that LocalAI v4.9.0 and its llama-cpp backend read and that have an effect on a
// CPU. LocalAI silently ignores every other key.
var (
	knownKeys = map[string][]string{
		"": {
			"name", "backend", "parameters", "context_size", "threads", "mmap", "mmlock", "flash_attention",
			"cache_type_k", "cache_type_v", "known_usecases", "options", "template", "limits", "stopwords",
			"system_prompt", "prompt_cache_all", "grpc", "feature_flags", "reasoning", "function",
		},
		"parameters": {
			"model", "temperature", "top_p", "top_k", "min_p", "max_tokens", "batch", "repeat_penalty", "repeat_last_n",
			"n_keep", "frequency_penalty", "presence_penalty", "typical_p", "seed", "rope_freq_base", "rope_freq_scale",
		},
		"template": {"use_tokenizer_template"},
		"limits":   {"max_concurrent", "retry_after_seconds"},
		"function": {"replace_llm_results"},
	}
	knownOptions = []string{
		"context_shift", "use_jinja", "jinja", "cache_ram", "parallel", "n_parallel", "n_cache_reuse", "cache_reuse",
		"slot_prompt_similarity", "sps", "swa_full", "cont_batching", "check_tensors", "warmup", "kv_unified", "unified_kv",
		"n_ctx_checkpoints", "cache_idle_slots", "checkpoint_min_step", "n_ubatch", "ubatch", "threads_batch", "n_threads_batch",
		"verbosity", "direct_io", "use_direct_io", "reasoning_format", "enable_reasoning", "reasoning_budget", "prefill_assistant",
		"spec_type", "spec_n_max", "draft_max", "spec_n_min", "draft_min", "spec_p_min", "draft_p_min",
		"spec_ngram_size_n", "spec_ngram_size_m", "spec_ngram_min_hits",
		"spec_ngram_mod_n_min", "spec_ngram_mod_n_max", "spec_ngram_mod_n_match",
	}
	// knownFlags are llama-server's own, which LocalAI passes on as they are.
	knownFlags = []string{"--chat-template-file"}
)

// ignored lists the keys of a model file that LocalAI would ignore.
func ignored(t *testing.T, file []byte) []string {
	t.Helper()
	var keys map[string]any
	require.NoError(t, yaml.Unmarshal(file, &keys))
	var found []string
	for key, value := range keys {
		if !slices.Contains(knownKeys[""], key) {
			found = append(found, key)
		}
		if section, nested := value.(map[string]any); nested {
			for inner := range section {
				if !slices.Contains(knownKeys[key], inner) {
					found = append(found, key+"."+inner)
				}
			}
		}
	}
	options, _ := keys["options"].([]any)
	for _, option := range options {
		name, _, _ := strings.Cut(option.(string), ":")
		if !slices.Contains(knownOptions, name) && !slices.Contains(knownFlags, name) {
			found = append(found, "options "+name)
		}
	}
	slices.Sort(found)
	return found
}

func TestNoKeyIsIgnored(t *testing.T) {
	assert.Empty(t, ignored(t, config.ModelFile()))
	assert.Empty(t, ignored(t, small.ModelFile()))
}

// Mistakes that LocalAI silently accepted.
func TestIgnoredKeysAreFound(t *testing.T) {
	const file = `
name: a
contextsize: 4096
n_threads: 7
use_jinja: true
batch: 64
gpu_layers: 1
parameters: {model: a.gguf, max_token: 1}
options: [no_such_option:1, parallell:4, parallel:1]
template: {jinja: true}
`
	assert.Equal(t, []string{
		"batch", "contextsize", "gpu_layers", "n_threads", "options no_such_option", "options parallell",
		"parameters.max_token", "template.jinja", "use_jinja",
	}, ignored(t, []byte(file)))
}
