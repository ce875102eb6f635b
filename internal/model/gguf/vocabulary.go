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

// chatTemplate is for engines that render the model's own template. It refuses what the one of
// Devstral Small 2 refuses, in the same words.
const chatTemplate = `{{ bos_token }}
{%- if messages[0]['role'] == 'system' %}
    {{- '[SYSTEM_PROMPT]' + messages[0]['content'] + '[/SYSTEM_PROMPT]' }}
    {%- set rest = messages[1:] %}
{%- else %}
    {%- set rest = messages %}
{%- endif %}
{%- set turns = namespace(count=0) %}
{%- for message in rest %}
    {%- if message.role == 'user' or (message.role == 'assistant' and (message.tool_calls is not defined or message.tool_calls is none or message.tool_calls | length == 0)) %}
        {%- if (message['role'] == 'user') != (turns.count % 2 == 0) %}
            {{- raise_exception('After the optional system message, conversation roles must alternate user and assistant roles except for tool calls and results.') }}
        {%- endif %}
        {%- set turns.count = turns.count + 1 %}
    {%- endif %}
{%- endfor %}
{%- for message in rest %}
    {%- if message['role'] in ['user', 'assistant', 'tool'] %}
        {{- '[' + message['role'] + '] ' }}
        {%- if message['content'] is string %}
            {{- message['content'] }}
        {%- elif message['content'] %}
            {%- for part in message['content'] %}
                {{- part['text'] }}
            {%- endfor %}
        {%- endif %}
        {{- '\n' }}
    {%- else %}
        {{- raise_exception('Only user, assistant and tool roles are supported, got ' + message['role'] + '.') }}
    {%- endif %}
{%- endfor %}
{{- '[assistant]' }}`

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
	e.pairString(keyChatTemplate, chatTemplate)
}
