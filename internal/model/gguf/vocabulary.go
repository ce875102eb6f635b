package gguf

import (
	"fmt"
	"math"
)

// Kinds of tokens, numbered as in llama.cpp (LLAMA_TOKEN_TYPE).
const (
	tokenNormal      = 1
	tokenUnknown     = 2
	tokenControl     = 3
	tokenUserDefined = 4
	tokenByte        = 6
)

// Ids of the special tokens, which come first in the vocabulary.
const (
	idUnknown = 0
	idBegin   = 1
	idEnd     = 2
)

type token struct {
	text  string
	score float32
	kind  uint32
}

// vocabulary returns the smallest vocabulary a SentencePiece tokenizer works with: the special
// tokens, a token for each byte (which can spell everything else), and a few words.
func vocabulary() []token {
	tokens := []token{
		{"<unk>", 0, tokenUnknown},
		{"<s>", 0, tokenControl},
		{"</s>", 0, tokenControl},
	}
	for b := range 256 {
		tokens = append(tokens, token{fmt.Sprintf("<0x%02X>", b), 0, tokenByte})
	}
	for i, word := range []string{"\u2581", "e", "t", "a", "o", "i", "n", "s", "r", "h", "\u2581the", "\u2581func", "\u2581return"} {
		tokens = append(tokens, token{word, -float32(i), tokenNormal})
	}
	return tokens
}

// chatTemplate is for engines that render the model's own template.
const chatTemplate = "{{ bos_token }}{% for message in messages %}[{{ message['role'] }}] {{ message['content'] }}\n{% endfor %}[assistant]"

func tokenizer(e *encoder) {
	tokens := vocabulary()
	e.pairString(keyTokenizer, "llama")
	e.pairArray(keyTokens, typeString, len(tokens))
	for _, t := range tokens {
		e.string(t.text)
	}
	e.pairArray("tokenizer.ggml.scores", typeFloat32, len(tokens))
	for _, t := range tokens {
		e.uint32(math.Float32bits(t.score))
	}
	e.pairArray(keyTokenTypes, typeInt32, len(tokens))
	for _, t := range tokens {
		e.uint32(t.kind)
	}
	e.pairUint32("tokenizer.ggml.bos_token_id", idBegin)
	e.pairUint32("tokenizer.ggml.eos_token_id", idEnd)
	e.pairUint32("tokenizer.ggml.unknown_token_id", idUnknown)
	e.pairString("tokenizer.chat_template", chatTemplate)
}
