package localaitest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// completionRequest is what the two generating routes read from a request.
type completionRequest struct {
	Model         string         `json:"model"`
	Messages      []message      `json:"messages"`
	Prompt        any            `json:"prompt"`
	Tools         []any          `json:"tools"`
	MaxTokens     *int           `json:"max_tokens"`
	Stop          any            `json:"stop"`
	Stream        bool           `json:"stream"`
	StreamOptions *streamOptions `json:"stream_options"`
}

type message struct {
	Role      string `json:"role"`
	Content   any    `json:"content"`
	ToolCalls []any  `json:"tool_calls"`
}

type streamOptions struct {
	IncludeUsage bool `json:"include_usage"`
}

// readRequest decodes the body. An empty body is a request without any field, as in LocalAI.
func readRequest(r *http.Request) (completionRequest, *httpError) {
	var request completionRequest
	if r.ContentLength == 0 {
		return request, nil
	}
	if !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		return request, parsingFailed("code=415, message=Unsupported Media Type")
	}
	err := json.NewDecoder(r.Body).Decode(&request)
	var tooLarge *http.MaxBytesError
	switch {
	case errors.Is(err, io.EOF), err == nil:
		return request, nil
	case errors.As(err, &tooLarge):
		return request, frameworkError(http.StatusRequestEntityTooLarge, "Request Entity Too Large")
	}
	return request, parsingFailed(fmt.Sprintf("code=400, message=%s, internal=%s", decodeMessage(err), err))
}

func parsingFailed(cause string) *httpError {
	return frameworkError(http.StatusBadRequest, "failed parsing request body: "+cause)
}

// decodeMessage returns a JSON error in echo's words.
func decodeMessage(err error) string {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return fmt.Sprintf("Syntax error: offset=%d, error=%s", syntax.Offset, err)
	}
	return err.Error()
}

// stopWords returns the stop sequences; the field is a string or a list of strings.
func (r completionRequest) stopWords() []string {
	switch stop := r.Stop.(type) {
	case string:
		return []string{stop}
	case []any:
		var words []string
		for _, entry := range stop {
			if word, ok := entry.(string); ok && word != "" {
				words = append(words, word)
			}
		}
		return words
	}
	return nil
}

// sayPrefix begins a last message whose rest is the answer, for tests that need a certain one.
const sayPrefix = "Say: "

// told returns the answer that the last message asks for.
func (r completionRequest) told() (text string, told bool) {
	if len(r.Messages) == 0 {
		return "", false
	}
	content, _ := r.Messages[len(r.Messages)-1].Content.(string)
	return strings.CutPrefix(content, sayPrefix)
}

// templateTokens is how many tokens the recorded model's chat template adds to a conversation.
const templateTokens = 15

// promptTokens counts one token per byte, as the tokenizer of the recorded model did.
func (r completionRequest) promptTokens() int {
	if len(r.Messages) == 0 {
		return max(1, textLength(r.Prompt))
	}
	tokens := templateTokens
	for _, message := range r.Messages {
		tokens += textLength(message.Content)
	}
	return tokens
}

// longestRun returns the length, in bytes, of the longest run of one letter in the prompt.
func (r completionRequest) longestRun() int {
	longest := longestRun(r.Prompt)
	for _, message := range r.Messages {
		longest = max(longest, longestRun(message.Content))
	}
	return longest
}

func longestRun(value any) int {
	longest := 0
	switch value := value.(type) {
	case string:
		run := 0
		for i := range len(value) {
			if i > 0 && value[i] != value[i-1] {
				run = 0
			}
			run++
			longest = max(longest, run)
		}
	case []any:
		for _, entry := range value {
			longest = max(longest, longestRun(entry))
		}
	case map[string]any:
		longest = longestRun(value["text"])
	}
	return longest
}

// textLength adds up the text in a string, a list of strings or a list of content parts.
func textLength(value any) int {
	switch value := value.(type) {
	case string:
		return len(value)
	case []any:
		total := 0
		for _, entry := range value {
			total += textLength(entry)
		}
		return total
	case map[string]any:
		return textLength(value["text"])
	}
	return 0
}
