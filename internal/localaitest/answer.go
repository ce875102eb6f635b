package localaitest

import (
	"fmt"
	"hash/fnv"
	"iter"
	"slices"
	"strings"
)

// defaultTokens is the length of an answer without a limit. A real model ends by itself, and
// so does this one, always at the same length.
const defaultTokens = 24

// answer is the generated answer: its tokens, and why they end.
type answer struct {
	tokens       []string
	finishReason string
	promptTokens int
}

func (a answer) text() string { return strings.Join(a.tokens, "") }

func (a answer) usage() usage {
	completion := len(a.tokens)
	return usage{PromptTokens: a.promptTokens, CompletionTokens: completion, TotalTokens: a.promptTokens + completion}
}

type usage struct {
	PromptTokens     int `json:"prompt_tokens"`
	CompletionTokens int `json:"completion_tokens"`
	TotalTokens      int `json:"total_tokens"`
}

// contextOverflow returns the backend's message for a prompt that does not fit, "" if it does.
func contextOverflow(request completionRequest, model Model) string {
	tokens := request.promptTokens()
	if tokens < model.ContextSize {
		return ""
	}
	return fmt.Sprintf("request (%d tokens) exceeds the available context size (%d tokens), try increasing it", tokens, model.ContextSize)
}

// compose generates the answer: the same words for the same request.
func compose(request completionRequest, model Model) answer {
	prompt := request.promptTokens()
	length, reason := defaultTokens, "stop"
	if request.MaxTokens != nil && *request.MaxTokens > 0 {
		length, reason = *request.MaxTokens, "length"
	}
	// LocalAI reports "stop" for the end of the context too.
	if room := model.ContextSize - prompt; length > room {
		length, reason = room, "stop"
	}
	tokens := words(seed(request), length)
	if text, told := request.told(); told {
		tokens = slices.Collect(split(text))
		tokens, reason = tokens[:min(len(tokens), length)], "stop"
	}
	for _, stop := range request.stopWords() {
		var cut bool
		if tokens, cut = cutAt(tokens, stop); cut {
			reason = "stop"
		}
	}
	return answer{tokens: tokens, finishReason: reason, promptTokens: prompt}
}

// split yields each word of the text with the blank before it.
func split(text string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for text != "" {
			end := strings.IndexByte(text[1:], ' ') + 1
			if end == 0 {
				end = len(text)
			}
			if !yield(text[:end]) {
				return
			}
			text = text[end:]
		}
	}
}

func seed(request completionRequest) uint64 {
	hash := fnv.New64a()
	fmt.Fprint(hash, request.Messages, request.Prompt)
	return hash.Sum64()
}

// words returns n tokens, each a blank and a pronounceable word.
func words(seed uint64, n int) []string {
	const consonants, vowels = "bcdfghjklmnprstvw", "aeiou"
	tokens := make([]string, n)
	for i := range tokens {
		var word strings.Builder
		word.WriteByte(' ')
		for range 2 + next(&seed)%3 {
			word.WriteByte(consonants[next(&seed)%uint64(len(consonants))])
			word.WriteByte(vowels[next(&seed)%uint64(len(vowels))])
		}
		tokens[i] = word.String()
	}
	return tokens
}

// next is the SplitMix64 generator: the same numbers on every machine and Go version.
func next(state *uint64) uint64 {
	*state += 0x9e3779b97f4a7c15
	z := *state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// cutAt ends the tokens where stop begins in their text, and reports whether it occurs.
func cutAt(tokens []string, stop string) ([]string, bool) {
	end := strings.Index(strings.Join(tokens, ""), stop)
	if end < 0 {
		return tokens, false
	}
	var kept []string
	for _, token := range tokens {
		if end <= 0 {
			break
		}
		kept = append(kept, token[:min(end, len(token))])
		end -= len(token)
	}
	return kept, true
}
