package gguf

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// FIM are the texts of the tokens with which a model fills in the middle of a text: between a prefix and
// a suffix. It is zero for a model that has none.
type FIM struct {
	// Prefix comes before the prefix, Suffix before the suffix, Middle before what the model writes. Codestral has
	// no Middle: it goes on from the prefix.
	Prefix string `json:"prefix,omitempty"`
	Suffix string `json:"suffix,omitempty"`
	Middle string `json:"middle,omitempty"`
	// Ends are the tokens after which there is nothing of the middle any more.
	Ends []string `json:"ends,omitempty"`
}

// Known reports whether the model fills in the middle.
func (f FIM) Known() bool { return f.Prefix != "" }

// SuffixFirst reports whether the suffix comes first. So Mistral has trained Codestral, whose tokens these
// are (mistral-common, InstructTokenizer.encode_fim), and it alone of those that llama.cpp reads.
func (f FIM) SuffixFirst() bool { return f.Prefix == codestralPrefix }

const codestralPrefix, codestralSuffix = "[PREFIX]", "[SUFFIX]"

// special is a special token as llama.cpp finds it: by an id in the metadata, of which the last one counts, else
// by its text.
type special struct{ keys, texts []string }

// The tokens as load of llama-vocab.cpp has them (llama.cpp at commit 00ad355e). The texts of Codestral's are not
// among them: the vocabulary of every model of Mistral's has them, such as Devstral's, which has not learned what
// they are for. So a file has to name them.
var (
	fimPrefix = special{
		[]string{"tokenizer.ggml.fim_pre_token_id", "tokenizer.ggml.prefix_token_id"},
		[]string{"<|fim_prefix|>", "<fim-prefix>", "<fim_prefix>", "<｜fim▁begin｜>", "<PRE>", "▁<PRE>", "<|code_prefix|>", "<|prefix|>"},
	}
	fimSuffix = special{
		[]string{"tokenizer.ggml.fim_suf_token_id", "tokenizer.ggml.suffix_token_id"},
		[]string{"<|fim_suffix|>", "<fim-suffix>", "<fim_suffix>", "<｜fim▁hole｜>", "<SUF>", "▁<SUF>", "<|code_suffix|>", "<|suffix|>"},
	}
	fimMiddle = special{
		[]string{"tokenizer.ggml.fim_mid_token_id", "tokenizer.ggml.middle_token_id"},
		[]string{"<|fim_middle|>", "<fim-middle>", "<fim_middle>", "<｜fim▁end｜>", "<MID>", "▁<MID>", "<|code_middle|>", "<|middle|>"},
	}
	// fimEnds are those that begin another file, and those at the end of a text or of a turn.
	fimEnds = []special{
		{[]string{"tokenizer.ggml.fim_pad_token_id"}, []string{"<|fim_pad|>", "<fim-pad>", "<fim_pad>", "<PAD>", "[PAD]"}},
		{[]string{"tokenizer.ggml.fim_rep_token_id"}, []string{"<|fim_repo|>", "<|repo_name|>", "<fim-repo>", "<REPO>", "<reponame>"}},
		{[]string{"tokenizer.ggml.fim_sep_token_id"}, []string{"<|file_sep|>"}},
		{[]string{"tokenizer.ggml.eos_token_id"}, nil},
		{[]string{"tokenizer.ggml.eot_token_id"}, []string{
			"<|eot_id|>", "<|im_end|>", "<|end|>", "<end_of_turn>", "<|endoftext|>", "<|end_of_text|>", "<EOT>", "▁<EOT>", "<｜end▁of▁sentence｜>",
		}},
	}
)

// maxMarker is the length in bytes of the longest text that is taken for that of a special token.
const maxMarker = 64

// isMarker reports whether a text is written as special tokens are. A prompt is given to the engine as a text: only such
// a token can be in it and be kept out of what users say.
func isMarker(token []byte) bool {
	text := strings.TrimPrefix(string(token), spaceMark)
	if len(token) > maxMarker || len(text) < len("<a>") || !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsSpace) {
		return false
	}
	return text[0] == '<' && text[len(text)-1] == '>' || text[0] == '[' && text[len(text)-1] == ']'
}

// fim returns the tokens of a model that has all that it needs.
func (v *vocabularyReader) fim(m metadata) FIM {
	f := FIM{Prefix: v.special(m, fimPrefix), Suffix: v.special(m, fimSuffix), Middle: v.special(m, fimMiddle)}
	whole := f.Prefix != "" && f.Suffix != "" && f.Middle != ""
	if f.SuffixFirst() {
		f.Middle, whole = "", f.Suffix == codestralSuffix
	}
	if !whole || f.Prefix == f.Suffix || f.Prefix == f.Middle || f.Suffix == f.Middle {
		return FIM{}
	}
	for _, end := range fimEnds {
		if text := v.special(m, end); text != "" && !slices.Contains(f.Ends, text) {
			f.Ends = append(f.Ends, text)
		}
	}
	return f
}

// special returns the text of a special token, "" if there is none that llama.cpp finds in a prompt. It makes one of what it
// finds by its text, whatever its type is.
func (v *vocabularyReader) special(m metadata, s special) string {
	named, found := uint64(0), false
	for _, key := range s.keys {
		if id, given := m.numbers[key]; given && id < uint64(len(v.lengths)) {
			named, found = id, true
		}
	}
	if found {
		if named < uint64(len(v.types)) && isMatchedAsText(v.types[named]) {
			return v.markers[int(named)]
		}
		return ""
	}
	for _, text := range s.texts {
		for _, marker := range v.markers {
			if marker == text {
				return text
			}
		}
	}
	return ""
}
