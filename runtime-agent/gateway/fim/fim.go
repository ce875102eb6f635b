// Package fim makes the prompt with which a model fills in the middle of a text: what a completion in an editor asks
// for.
package fim

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/model/gguf"
)

// Prompt returns the two parts of a prompt, in the order that the model has learned.
func Prompt(tokens gguf.FIM, prefix, suffix string) (first, second string) {
	if tokens.SuffixFirst() {
		return tokens.Suffix + suffix, tokens.Prefix + prefix
	}
	return tokens.Prefix + prefix, tokens.Suffix + suffix + tokens.Middle
}

// Template returns the prompt with Continue's placeholders (core/autocomplete/templating, which are those of Handlebars), "" for
// a model that does not fill in the middle.
func Template(tokens gguf.FIM) string {
	if !tokens.Known() {
		return ""
	}
	first, second := Prompt(tokens, "{{{prefix}}}", "{{{suffix}}}")
	return first + second
}

// Split returns what stands around the cursor in a prompt that a client has made itself. It reports false for
// one that has anything else, or the tokens more than once.
func Split(tokens gguf.FIM, prompt string) (prefix, suffix string, made bool) {
	if !tokens.Known() {
		return "", "", false
	}
	begin, between := tokens.Prefix, tokens.Suffix
	if tokens.SuffixFirst() {
		begin, between = between, begin
	}
	rest, begins := strings.CutPrefix(prompt, begin)
	rest, ends := strings.CutSuffix(rest, tokens.Middle)
	first, second, divided := strings.Cut(rest, between)
	if !begins || !ends || !divided || holds(tokens, first) || holds(tokens, second) {
		return "", "", false
	}
	if tokens.SuffixFirst() {
		return second, first, true
	}
	return first, second, true
}

// Stops returns what an answer ends at: what the client wants, and the tokens. The engine ends it at those that the
// file of the model names as ends by itself; a model that begins another part instead has nothing more to say.
func Stops(tokens gguf.FIM, wanted []string) []string {
	stops := slices.Clone(wanted)
	for _, token := range all(tokens) {
		if !slices.Contains(stops, token) {
			stops = append(stops, token)
		}
	}
	return stops
}

// Break puts a blank into whatever the engine would read as one of the tokens in what a user has written. It cannot tell
// the two apart, and a file about such tokens would have the model write into another place. A blank leaves the text
// readable, to the model too.
func Break(tokens gguf.FIM, text string) string {
	for holds(tokens, text) {
		for _, mark := range marks(tokens) {
			_, size := utf8.DecodeRuneInString(mark)
			text = strings.ReplaceAll(text, mark, mark[:size]+" "+mark[size:])
		}
	}
	return text
}

func holds(tokens gguf.FIM, text string) bool {
	return slices.ContainsFunc(marks(tokens), func(mark string) bool { return strings.Contains(text, mark) })
}

// marks are the tokens without the sign of SentencePiece for a space, which a text may have too.
func marks(tokens gguf.FIM) []string {
	var marks []string
	for _, token := range all(tokens) {
		marks = append(marks, strings.TrimPrefix(token, "\u2581"))
	}
	return marks
}

func all(tokens gguf.FIM) []string {
	every := append([]string{tokens.Prefix, tokens.Suffix, tokens.Middle}, tokens.Ends...)
	return slices.DeleteFunc(every, func(token string) bool { return token == "" })
}

// Around returns what stands next to the cursor: so many bytes at most, a quarter of them behind it unless there are
// fewer before it.
func Around(prefix, suffix string, limit int) (before, after string) {
	after = start(suffix, max(limit/4, limit-len(prefix)))
	return end(prefix, limit-len(after), max(limit/8, 1)), after
}

// start returns the beginning of a text, whole lines if that leaves half of it.
func start(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	for limit > 0 && !utf8.RuneStart(text[limit]) {
		limit--
	}
	text = text[:limit]
	if line := strings.LastIndexByte(text, '\n') + 1; line > limit/2 {
		return text[:line]
	}
	return text
}

// end returns the end of a text, from the beginning of a line if one is near. It leaves out whole steps: the next
// keystroke must not move the beginning, or the engine would have read none of it before.
func end(text string, limit, step int) string {
	if len(text) <= limit {
		return text
	}
	from := min((len(text)-limit+step-1)/step*step, len(text))
	if line := strings.IndexByte(text[from:], '\n') + 1; line > 0 && line <= step {
		return text[from+line:]
	}
	for from < len(text) && !utf8.RuneStart(text[from]) {
		from++
	}
	return text[from:]
}
