package gguf

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// controls are tokens as a file has special ones.
func controls(texts ...string) []token {
	tokens := make([]token, len(texts))
	for i, text := range texts {
		tokens[i] = token{text: text, kind: tokenControl}
	}
	return tokens
}

var (
	qwen = controls("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>", "<|fim_pad|>", "<|repo_name|>", "<|file_sep|>")
	// mistral is the beginning of Tekken's vocabulary, which Devstral and Codestral share.
	mistral = controls("<unk>", "<s>", "</s>", "[INST]", "[/INST]", "[PREFIX]", "[MIDDLE]", "[SUFFIX]")
)

func TestTheTokensForTheMiddle(t *testing.T) {
	ofQwen := FIM{"<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", []string{"<|fim_pad|>", "<|repo_name|>", "<|file_sep|>", "<|im_end|>"}}
	for name, tt := range map[string]struct {
		tokens []token
		ids    map[string]uint32
		want   FIM
	}{
		"Qwen, by text":       {qwen, nil, ofQwen},
		"Qwen, by id":         {qwen, map[string]uint32{"fim_pre_token_id": 3, "fim_suf_token_id": 5, "fim_mid_token_id": 4, "fim_pad_token_id": 6}, ofQwen},
		"Qwen, by older keys": {qwen, map[string]uint32{"prefix_token_id": 3, "suffix_token_id": 5, "middle_token_id": 4}, ofQwen},
		"the end of a text": {qwen, map[string]uint32{"eos_token_id": 0, "eot_token_id": 2}, FIM{
			ofQwen.Prefix, ofQwen.Suffix, ofQwen.Middle, []string{"<|fim_pad|>", "<|repo_name|>", "<|file_sep|>", "<|endoftext|>", "<|im_end|>"},
		}},
		"types that llama.cpp corrects": {
			[]token{{text: "<fim_prefix>", kind: tokenNormal}, {text: "<fim_suffix>", kind: tokenNormal}, {text: "<fim_middle>", kind: tokenNormal}}, nil,
			FIM{Prefix: "<fim_prefix>", Suffix: "<fim_suffix>", Middle: "<fim_middle>"},
		},
		"Granite":   {controls("<fim_prefix>", "<fim_middle>", "<fim_suffix>", "<fim_pad>", "<reponame>"), nil, FIM{"<fim_prefix>", "<fim_suffix>", "<fim_middle>", []string{"<fim_pad>", "<reponame>"}}},
		"DeepSeek":  {controls("<｜fim▁hole｜>", "<｜fim▁begin｜>", "<｜fim▁end｜>", "<｜end▁of▁sentence｜>"), nil, FIM{"<｜fim▁begin｜>", "<｜fim▁hole｜>", "<｜fim▁end｜>", []string{"<｜end▁of▁sentence｜>"}}},
		"CodeLlama": {controls("▁<PRE>", "▁<SUF>", "▁<MID>", "▁<EOT>"), map[string]uint32{"prefix_token_id": 0, "suffix_token_id": 1, "middle_token_id": 2, "eot_token_id": 3}, FIM{"▁<PRE>", "▁<SUF>", "▁<MID>", []string{"▁<EOT>"}}},
		"GLM":       {controls("<|code_prefix|>", "<|code_middle|>", "<|code_suffix|>"), nil, FIM{Prefix: "<|code_prefix|>", Suffix: "<|code_suffix|>", Middle: "<|code_middle|>"}},
		"Codestral": {mistral, map[string]uint32{"fim_pre_token_id": 5, "fim_suf_token_id": 7, "eos_token_id": 2}, FIM{Prefix: "[PREFIX]", Suffix: "[SUFFIX]", Ends: []string{"</s>"}}},
		"Devstral":  {mistral, map[string]uint32{"eos_token_id": 2}, FIM{}},

		"one is missing":                {qwen[:5], nil, FIM{}},
		"one is twice":                  {qwen, map[string]uint32{"fim_suf_token_id": 3}, FIM{}},
		"an id beyond the vocabulary":   {qwen, map[string]uint32{"fim_pre_token_id": 1 << 31}, ofQwen},
		"a token that no text can name": {append([]token{{text: "<pre>", kind: tokenNormal}}, qwen...), map[string]uint32{"fim_pre_token_id": 0}, FIM{}},
		"a word":                        {append(controls("if"), qwen...), map[string]uint32{"fim_pre_token_id": 0}, FIM{}},
		"a blank":                       {append(controls("<a b>"), qwen...), map[string]uint32{"fim_pre_token_id": 0}, FIM{}},
		"one without an end":            {append(controls("<"+strings.Repeat("a", 100)+">"), qwen...), map[string]uint32{"fim_pre_token_id": 0}, FIM{}},
		"no vocabulary":                 {nil, map[string]uint32{"fim_pre_token_id": 0}, FIM{}},
	} {
		for _, first := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				h := new(handmade).llama()
				ids := func() {
					for key, id := range tt.ids {
						h.pairUint32("tokenizer.ggml."+key, id)
					}
				}
				if first {
					ids()
				}
				h.pairArray(keyTokens, typeString, len(tt.tokens))
				for _, token := range tt.tokens {
					h.string(token.text)
				}
				h.pairArray(keyTokenTypes, typeInt32, len(tt.tokens))
				for _, token := range tt.tokens {
					h.uint32(token.kind)
				}
				if !first {
					ids()
				}
				header, err := read(h.file(0))
				require.NoError(t, err)
				assert.Equal(t, tt.want, header.FIM)
				assert.Equal(t, tt.want.Prefix != "", header.FIM.Known())
				assert.Equal(t, name == "Codestral", header.FIM.SuffixFirst())
			})
		}
	}
}
