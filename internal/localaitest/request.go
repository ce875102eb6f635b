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
	Model               string         `json:"model"`
	Messages            []message      `json:"messages"`
	Prompt              any            `json:"prompt"`
	Tools               []tool         `json:"tools"`
	ToolChoice          any            `json:"tool_choice"`
	MaxTokens           *int           `json:"max_tokens"`
	MaxCompletionTokens *int           `json:"max_completion_tokens"`
	Stop                any            `json:"stop"`
	Stream              bool           `json:"stream"`
	StreamOptions       *streamOptions `json:"stream_options"`
}

type message struct {
	Role       string     `json:"role"`
	Content    any        `json:"content"`
	ToolCalls  []toolCall `json:"tool_calls"`
	ToolCallID string     `json:"tool_call_id"`
}

// text returns the content in the form in which LocalAI gives it to its backend.
func (m message) text() string { return text(m.Content) }

// toolCall has the fields of LocalAI's in the same order, in requests and in answers.
type toolCall struct {
	Index    int          `json:"index"`
	ID       string       `json:"id"`
	Type     string       `json:"type"`
	Function functionCall `json:"function"`
}

type functionCall struct {
	Name      string `json:"name,omitempty"`
	Arguments string `json:"arguments"`
}

// tool is what LocalAI keeps of a tool: one of another type than function becomes a function
// without a name.
type tool struct {
	Type     string   `json:"type"`
	Function function `json:"function"`
}

type function struct {
	Name        string         `json:"name"`
	Description string         `json:"description"`
	Strict      bool           `json:"strict"`
	Parameters  map[string]any `json:"parameters"`
}

type streamOptions struct {
	IncludeUsage bool `json:"include_usage"`
}

// maxTokens returns the limit of the answer's length, 0 for none.
func (r completionRequest) maxTokens() int {
	for _, limit := range []*int{r.MaxCompletionTokens, r.MaxTokens} {
		if limit != nil {
			return max(0, *limit)
		}
	}
	return 0
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
	return request, decodingFailed(err)
}

// decodingFailed returns a JSON error in echo's words, with the names that LocalAI's types have.
func decodingFailed(err error) *httpError {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		wrong.Struct = "OpenAIRequest"
		wrong.Field = strings.Replace(wrong.Field, "messages.", "messages.messageAlias.", 1)
	}
	return parsingFailed(fmt.Sprintf("code=400, message=%s, internal=%s", decodeMessage(err), err))
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
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		return fmt.Sprintf("Unmarshal type error: expected=%s, got=%s, field=%s, offset=%d", wrong.Type, wrong.Value, wrong.Field, wrong.Offset)
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
