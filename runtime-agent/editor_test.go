package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/gguftest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway"
)

// coderWeights are a file of a model with Qwen Coder's tokens.
func coderWeights() string {
	return string(gguftest.File(map[string]any{
		"general.architecture": "llama", "llama.context_length": 32768.0, "llama.embedding_length": 64.0, "llama.block_count": 2.0,
		"llama.feed_forward_length": 128.0, "llama.attention.head_count": 4.0, "llama.attention.head_count_kv": 2.0, "llama.vocab_size": 4.0,
		"tokenizer.ggml.model":      "gpt2",
		"tokenizer.ggml.tokens":     []any{"<|im_end|>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>"},
		"tokenizer.ggml.token_type": []any{3.0, 3.0, 3.0, 3.0},
	}, "token_embd.weight"))
}

// What the file of the model says reaches the gateway, and who sets up an editor.
func TestAModelThatFillsInTheMiddle(t *testing.T) {
	v := newVM(t)
	v.configure(map[string]string{})
	config, err := gateway.ParseConfig([]byte(v.read(appliance.GatewayConfigFile)))
	require.NoError(t, err)
	assert.False(t, config.FIM.Known(), "the stand-in has no such tokens")
	_, report, _ := v.run("report")
	assert.NotContains(t, report, "autocomplete")

	v.put(modelFile, coderWeights())
	v.configure(map[string]string{})
	config, err = gateway.ParseConfig([]byte(v.read(appliance.GatewayConfigFile)))
	require.NoError(t, err)
	assert.Equal(t, "<|fim_prefix|>", config.FIM.Prefix)
	assert.Equal(t, []string{"<|im_end|>"}, config.FIM.Ends)
	_, report, _ = v.run("report")
	assert.Contains(t, report, `autocomplete: "<|fim_prefix|>{{{prefix}}}<|fim_suffix|>{{{suffix}}}<|fim_middle|>"`)
}
