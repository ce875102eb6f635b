package gguf

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// spell writes bytes in GPT-2's alphabet.
func spell(text string) string {
	var out strings.Builder
	for _, b := range []byte(text) {
		letter := rune(b)
		if !isLetter(letter) || letter >= 0x100 {
			letter = 0x100
			for c := range b {
				if !isLetter(rune(c)) {
					letter++
				}
			}
		}
		out.WriteRune(letter)
	}
	return out.String()
}

func TestGPT2sAlphabet(t *testing.T) {
	assert.Equal(t, "Ġtab\u0109end\u010aÃ©", spell(" tab\tend\né"), "as in the tokenizer.json of any such model")
	letters := 0
	for r := range rune(0x400) {
		if isLetter(r) {
			letters++
		}
	}
	assert.Equal(t, alphabet, letters)
}

// vocab describes the tokenizer of a file.
type vocab struct {
	name, model, pre string
	tokens           []token
	typesFirst       bool
}

// spelledBytes are the tokens for single bytes of a vocabulary of merges.
func spelledBytes() []token {
	var tokens []token
	for b := range 256 {
		tokens = append(tokens, token{text: spell(string([]byte{byte(b)})), kind: tokenNormal})
	}
	return tokens
}

// namedBytes are those of SentencePiece.
func namedBytes() []token {
	var tokens []token
	for b := range 256 {
		tokens = append(tokens, token{text: fmt.Sprintf("<0x%02X>", b), kind: tokenByte})
	}
	return tokens
}

func (v vocab) read(t testing.TB) Vocabulary {
	t.Helper()
	h := new(handmade).llama()
	types := func() {
		h.pairArray(keyTokenTypes, typeInt32, len(v.tokens))
		for _, token := range v.tokens {
			h.uint32(token.kind)
		}
	}
	if v.typesFirst {
		types()
	}
	h.pairArray(keyTokens, typeString, len(v.tokens))
	for _, token := range v.tokens {
		h.string(token.text)
	}
	if !v.typesFirst {
		types()
	}
	h.pairString(keyPreTokenizer, v.pre)
	h.pairString(keyTokenizer, v.model)
	h.pairString(keyName, v.name)
	header, err := read(h.file(0))
	require.NoError(t, err)
	return header.Vocabulary
}

func TestLongestToken(t *testing.T) {
	normal := func(text string) token { return token{text: text, kind: tokenNormal} }
	special := func(text string) token { return token{text: text, kind: tokenControl} }
	tens := strings.Repeat("x", 10)
	for name, tt := range map[string]struct {
		vocab vocab
		want  int
	}{
		"merges: a space is one byte":          {vocab{model: "gpt2", tokens: append(spelledBytes(), normal(spell("  return")))}, 8},
		"merges: bytes, not characters":        {vocab{model: "gpt2", tokens: append(spelledBytes(), normal(spell("größer")))}, 8},
		"merges: a special token is text":      {vocab{model: "gpt2", tokens: append(spelledBytes(), special("éééé"))}, 8},
		"merges: one that is no word of it":    {vocab{model: "gpt2", tokens: append(spelledBytes(), normal("<｜end▁of▁sentence｜>"))}, len("<｜end▁of▁sentence｜>")},
		"merges: user-defined":                 {vocab{model: "gpt2", tokens: append(spelledBytes(), token{text: "éé", kind: tokenUserDefined})}, 4},
		"merges: types before tokens":          {vocab{model: "gpt2", tokens: append(spelledBytes(), special("éééé")), typesFirst: true}, 8},
		"merges: a byte without a token":       {vocab{model: "gpt2", tokens: append(spelledBytes()[1:], normal(tens))}, 0},
		"merges: tokens that are text":         {vocab{model: "gpt2", pre: "sarvam-moe", tokens: append(spelledBytes(), normal(tens))}, 0},
		"SentencePiece: U+2581 is a space":     {vocab{model: "llama", tokens: append(namedBytes(), normal("▁▁▁▁▁return"))}, 11},
		"SentencePiece: bytes, not characters": {vocab{model: "llama", tokens: append(namedBytes(), normal("▁größer"))}, 9},
		"Gemma 4":                              {vocab{model: "gemma4", tokens: append(namedBytes(), normal("▁▁▁▁▁return"))}, 11},
		"Gemma 4: a byte without a token":      {vocab{model: "gemma4", tokens: append(namedBytes()[1:], normal("▁▁▁▁▁return"))}, 0},
		"special tokens that swallow blanks":   {vocab{name: "Phi-3 Mini", model: "llama", tokens: append(namedBytes(), normal(tens))}, 0},
		"a tokenizer that normalizes":          {vocab{model: "bert", tokens: append(namedBytes(), normal(tens))}, 0},
		"no vocabulary":                        {vocab{model: "no_vocab"}, 0},
		"a token longer than any":              {vocab{model: "llama", tokens: append(namedBytes(), normal(strings.Repeat("▁", bufferSize)))}, 3 * bufferSize},
	} {
		t.Run(name, func(t *testing.T) {
			got := tt.vocab.read(t)
			assert.Equal(t, tt.want, got.Longest)
			if tt.want == 0 {
				assert.Zero(t, got.MinTokens(strings.Repeat("any text", 1000)), "nothing is known")
			}
		})
	}
}

func TestMinTokens(t *testing.T) {
	merges := vocab{model: "gpt2", tokens: append(spelledBytes(), token{text: spell("return  "), kind: tokenNormal})}.read(t)
	pieces := vocab{model: "llama", tokens: append(namedBytes(), token{text: "▁▁▁▁▁▁▁▁", kind: tokenNormal})}.read(t)
	for text, want := range map[string]struct{ merges, pieces int }{
		"":                                  {0, 0},
		"x":                                 {1, 1},
		"12345678":                          {1, 1},
		"123456789":                         {2, 2},
		strings.Repeat(" ", 8000):           {1000, 1000},
		strings.Repeat(spaceMark, 8):        {3, 1},
		strings.Repeat("é", 8) + spaceMark:  {3, 3},
		strings.Repeat("12345678", 1000+1):  {1001, 1001},
		"return  " + strings.Repeat("é", 4): {2, 2},
	} {
		assert.Equal(t, want.merges, merges.MinTokens(text), text)
		assert.Equal(t, want.pieces, pieces.MinTokens(text), text)
	}
}

// A vocabulary that is too large to be believed is skipped, not stored.
func TestAHugeVocabularyIsSkipped(t *testing.T) {
	h := new(handmade).llama()
	h.pairString(keyTokenizer, "llama")
	h.pairArray(keyTokens, typeString, maxTokens+1)
	h.Write(make([]byte, 8*(maxTokens+1)))
	h.pairArray(keyTokenTypes, typeUint8, maxTokens+1)
	h.Write(bytes.Repeat([]byte{tokenNormal}, maxTokens+1))
	header, err := read(h.file(0))
	require.NoError(t, err)
	assert.Zero(t, header.Vocabulary.Longest)
}
