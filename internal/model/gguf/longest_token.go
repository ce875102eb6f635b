package gguf

import (
	"bytes"
	"slices"
	"strings"
	"unicode/utf8"
)

// Vocabulary says how much text one token of a model can stand for.
//
// llama.cpp cuts the text of a prompt into pieces, and each piece becomes one token or more: no
// token stands for more text than the longest token has. So a text of more than N times that
// length is more than N tokens, whatever it says. This is a proof for a vocabulary of which the
// following is true; for every other Longest is 0:
//
//   - Its tokenizer (tokenizer.ggml.model) neither removes nor joins anything before it cuts.
//     Of "gpt2", "llama" and "gemma4" that is so; those of BERT and T5 normalize the text.
//   - Text that is not a token of its own is spelled in tokens for single bytes. llama.cpp drops,
//     without a word, the bytes for which a vocabulary of merges has none, so each of the 256
//     must be there, and what merges make must be tokens, as in every vocabulary that was trained.
//     The tokenizer "llama" fails instead of dropping.
//   - No special token swallows the blanks around it. llama.cpp has those of Phi-3 do that, which
//     it recognizes by general.name.
//
// Special tokens are found in the text of users as well (llama-server parses the rendered
// template as one text), so they count with all their bytes.
//
// It speaks of the text that is tokenized. Chat templates may shorten what they are given, most
// often by the blanks at both ends of a message, so only text that the template certainly keeps
// may be counted.
//
// Source: llama-vocab.cpp of llama.cpp v0.4.0.
type Vocabulary struct {
	// Longest is the length of the longest token, in bytes of the text it stands for. It is 0 if
	// there is no length beyond which a text is sure to need more tokens.
	Longest int `json:"longest,omitempty"`
	// MarksSpaces: a space is U+2581 in the tokens, and in a text both are the same to them.
	MarksSpaces bool `json:"marks_spaces,omitempty"`
}

// spaceMark is what stands for a space in the tokens of SentencePiece.
const spaceMark = "\u2581"

// MinTokens returns a number of tokens below which a prompt cannot come, 0 if nothing is known. It
// wants all parts of the prompt: a token may span two, so the results for parts must not be added
// up.
func (v Vocabulary) MinTokens(parts ...string) int {
	if v.Longest == 0 {
		return 0
	}
	length := 0
	for _, part := range parts {
		length += len(part)
		if v.MarksSpaces {
			// A mark in the text is taken for a space, so it counts as one.
			length -= (len(spaceMark) - 1) * strings.Count(part, spaceMark)
		}
	}
	return (length + v.Longest - 1) / v.Longest
}

// tokenLength holds the length of a token in bytes of the text that it stands for, by the way
// its vocabulary is written.
type tokenLength struct {
	// plain: the token is the text.
	plain uint64
	// spelled: each character of the token is one byte (GPT-2's bytes_to_unicode).
	spelled uint64
	// marked: the token is the text, with U+2581 for a space.
	marked uint64
}

// vocabularyReader collects what Vocabulary is made of, in whatever order the file has it.
type vocabularyReader struct {
	lengths []tokenLength
	types   []uint64
	// letters are the characters of GPT-2's alphabet that are tokens, bytes the tokens "<0x00>"
	// to "<0xFF>".
	letters map[rune]bool
	bytes   map[string]bool
	// markers are the texts of tokens that are written as special ones are, by their id.
	markers map[int]string
}

// tokens reads n tokens and keeps their lengths alone.
func (d *decoder) tokens(v *vocabularyReader, n uint64) error {
	*v = vocabularyReader{types: v.types, letters: map[rune]bool{}, bytes: map[string]bool{}, markers: map[int]string{}}
	for range n {
		if err := d.token(v); err != nil {
			return err
		}
	}
	return nil
}

func (d *decoder) token(v *vocabularyReader) error {
	n, err := d.uint64()
	if err != nil {
		return err
	}
	if n > bufferSize {
		// Longer than any token is, and so not worth the memory.
		v.lengths = append(v.lengths, tokenLength{plain: n, spelled: n, marked: n})
		return d.skip(n)
	}
	token, err := d.bytes(n)
	if err == nil {
		v.add(token)
	}
	return err
}

func (v *vocabularyReader) add(token []byte) {
	letter, size := utf8.DecodeRune(token)
	if size == len(token) && isLetter(letter) {
		v.letters[letter] = true
	}
	if len(token) == len("<0x00>") && bytes.HasPrefix(token, []byte("<0x")) && token[5] == '>' {
		v.bytes[string(token)] = true
	}
	if isMarker(token) {
		v.markers[len(v.lengths)] = string(token)
	}
	v.lengths = append(v.lengths, tokenLength{
		plain:   uint64(len(token)),
		spelled: uint64(spelledLength(token)),
		marked:  uint64(len(token) - (len(spaceMark)-1)*bytes.Count(token, []byte(spaceMark))),
	})
}

// alphabet is how many characters GPT-2's alphabet has: one for each byte.
const alphabet = 256

// isLetter reports whether GPT-2's alphabet has the character: it writes a byte that is a
// printable character of Latin-1 as that, and the 68 others as U+0100 and those after it.
func isLetter(r rune) bool {
	return r >= '!' && r <= '~' || r >= 0xA1 && r <= 0xFF && r != 0xAD || r >= 0x100 && r < 0x100+68
}

// spelledLength returns how many bytes the letters of a token spell, or the length of a token
// that has other characters: merges do not make such a token, so it can only stand for itself.
func spelledLength(token []byte) int {
	n := 0
	for rest := token; len(rest) > 0; n++ {
		letter, size := utf8.DecodeRune(rest)
		if !isLetter(letter) {
			return len(token)
		}
		rest = rest[size:]
	}
	return n
}

// unspelled are the values of tokenizer.ggml.pre with which llama.cpp takes the tokens of a
// vocabulary of merges as text.
var unspelled = []string{"gemma4", "granite-embed-multi-311m", "sarvam-moe", "whitespace"}

// isMatchedAsText reports whether llama.cpp looks for the token in the text itself.
func isMatchedAsText(kind uint64) bool {
	return kind == tokenUnknown || kind == tokenControl || kind == tokenUserDefined
}

func (v *vocabularyReader) vocabulary(m metadata) Vocabulary {
	name := strings.ToLower(m.strings[keyName])
	if strings.Contains(name, "phi-3") || strings.Contains(name, "phi3") {
		return Vocabulary{}
	}
	switch m.strings[keyTokenizer] {
	case "gpt2":
		if !slices.Contains(unspelled, m.strings[keyPreTokenizer]) && len(v.letters) == alphabet && len(v.types) == len(v.lengths) {
			return Vocabulary{Longest: v.longest(v.spelled)}
		}
	case "llama":
		return Vocabulary{Longest: v.longest(v.marked), MarksSpaces: true}
	case "gemma4":
		if len(v.bytes) == alphabet {
			return Vocabulary{Longest: v.longest(v.marked), MarksSpaces: true}
		}
	}
	return Vocabulary{}
}

func (v *vocabularyReader) longest(length func(token int) uint64) int {
	var longest uint64
	for token := range v.lengths {
		longest = max(longest, length(token))
	}
	return int(longest)
}

func (v *vocabularyReader) spelled(token int) uint64 {
	if isMatchedAsText(v.types[token]) {
		return v.lengths[token].plain
	}
	return v.lengths[token].spelled
}

func (v *vocabularyReader) marked(token int) uint64 { return v.lengths[token].marked }
