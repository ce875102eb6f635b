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

// longestAnswer is the length, in tokens, at which every answer has ended by itself: agents ask for
// up to 32000 tokens, and get what they need.
const longestAnswer = 2048

// answer is the generated answer: its tokens, and why they end.
type answer struct {
	// tokens are the text, or what the model writes to call a tool.
	tokens       []string
	finishReason string
	promptTokens int
	// calls are the tools called. With twice they are the same one, which arrives as text too.
	calls []toolCall
	twice bool
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

// tokenCount returns how many tokens a prompt has.
func (m Model) tokenCount(prompt string) int { return max(1, len(prompt)/max(1, m.BytesPerToken)) }

// contextOverflow returns the backend's message for a prompt that does not fit, "" if it does.
func contextOverflow(prompt string, model Model) string {
	tokens := model.tokenCount(prompt)
	if tokens < model.ContextSize {
		return ""
	}
	return fmt.Sprintf("request (%d tokens) exceeds the available context size (%d tokens), try increasing it", tokens, model.ContextSize)
}

// compose generates the answer to a request whose prompt fits: the same one for the same request,
// but for the ids of tool calls.
func compose(request completionRequest, prompt string, model Model) answer {
	limit, room := request.maxTokens(), model.ContextSize-model.tokenCount(prompt)
	most := longestAnswer
	if limit > 0 {
		most = min(limit, most)
	}
	most = min(most, room)
	if order, ordered := request.order(model.Template); ordered {
		return order.answer(prompt, model, most)
	}
	length := most
	if limit == 0 {
		length = min(defaultTokens, most)
	}
	tokens := words(seed(request), length)
	if text, told := request.told(); told {
		tokens = slices.Collect(split(text))
		tokens = tokens[:min(len(tokens), length)]
	}
	for _, stop := range request.stopWords() {
		tokens = cutAt(tokens, stop)
	}
	// LocalAI compares the numbers (core/http/endpoints/openai/inference.go, reachedTokenBudget):
	// it reports "stop" for the end of the context too.
	reason := "stop"
	if limit > 0 && len(tokens) >= limit {
		reason = "length"
	}
	return answer{tokens: tokens, finishReason: reason, promptTokens: model.tokenCount(prompt)}
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

// cutAt ends the tokens where stop begins in their text.
func cutAt(tokens []string, stop string) []string {
	end := strings.Index(strings.Join(tokens, ""), stop)
	if end < 0 {
		return tokens
	}
	var kept []string
	for _, token := range tokens {
		if end <= 0 {
			break
		}
		kept = append(kept, token[:min(end, len(token))])
		end -= len(token)
	}
	return kept
}
