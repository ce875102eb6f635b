// Package messages translates requests of Anthropic's Messages API to Chat Completions, and what
// the engine answers back (https://docs.anthropic.com/en/api/messages).
package messages

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/chat"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/failure"
)

// Request is a request as the engine is asked it, with what it takes to translate the answer.
type Request struct {
	// Chat always asks for a stream with its usage, whatever the client asked for.
	Chat chat.Request
	// Stream is whether the client wants a stream.
	Stream bool

	oneCall bool // at most one tool call
}

// body holds the fields of a request that are translated. What it leaves out must not reach the
// prompt: thinking, context_management, metadata, cache_control and the like say nothing to the
// engine, and some of it changes from turn to turn.
type body struct {
	Model         string          `json:"model"`
	System        json.RawMessage `json:"system"`
	Messages      []message       `json:"messages"`
	Tools         []tool          `json:"tools"`
	ToolChoice    toolChoice      `json:"tool_choice"`
	MaxTokens     *int            `json:"max_tokens"`
	StopSequences []string        `json:"stop_sequences"`
	Temperature   *float64        `json:"temperature"`
	TopP          *float64        `json:"top_p"`
	TopK          *int            `json:"top_k"`
	Stream        bool            `json:"stream"`
	OutputConfig  struct {
		Format struct {
			Type   string          `json:"type"`
			Schema json.RawMessage `json:"schema"`
		} `json:"format"`
	} `json:"output_config"`
}

// Decode translates the body of a request, of /v1/messages or of its count_tokens, which has no
// max_tokens. Equal histories give equal messages, to the byte: the engine reads again all that
// follows a difference. Of the error, Param is the path of the wrong field, such as
// messages.2.content.0.
func Decode(data []byte) (*Request, *failure.Error) {
	var asked body
	if err := json.Unmarshal(data, &asked); err != nil {
		return nil, unreadable("", err)
	}
	past, err := translateHistory(asked.System, asked.Messages)
	if err != nil {
		return nil, err
	}
	tools, err := translateTools(asked.Tools, past.revealed)
	if err != nil {
		return nil, err
	}
	tools, choice, err := choose(tools, asked.ToolChoice)
	if err != nil {
		return nil, err
	}
	limit, err := maxTokens(asked.MaxTokens)
	if err != nil {
		return nil, err
	}
	return &Request{
		Chat: chat.Request{
			Model:          asked.Model,
			Messages:       past.messages,
			Tools:          tools,
			ToolChoice:     choice,
			MaxTokens:      limit,
			Temperature:    asked.Temperature,
			TopP:           asked.TopP,
			TopK:           asked.TopK,
			Stop:           asked.StopSequences,
			ResponseFormat: responseFormat(asked),
			Stream:         true,
			StreamOptions:  &chat.StreamOptions{IncludeUsage: true},
		},
		Stream:  asked.Stream,
		oneCall: asked.ToolChoice.DisableParallelToolUse,
	}, nil
}

// maxTokens returns 0 if there is no limit.
func maxTokens(asked *int) (int, *failure.Error) {
	switch {
	case asked == nil:
		return 0, nil
	case *asked < 0:
		return 0, invalid("max_tokens", "%d is less than 0", *asked)
	default:
		// Who asks for 0 tokens wants the prompt read into the cache. 1 is the least that the
		// engine can do; its 0 is no limit.
		return max(*asked, 1), nil
	}
}

// responseFormat translates a JSON schema that the answer must have, nil if any text will do.
func responseFormat(asked body) json.RawMessage {
	format := asked.OutputConfig.Format
	if format.Type != "json_schema" || !isObject(format.Schema) {
		return nil
	}
	return fmt.Appendf(nil, `{"type":"json_schema","json_schema":{"name":"answer","strict":true,"schema":%s}}`, format.Schema)
}

// invalid is the error for a request whose field param is wrong.
func invalid(param, format string, args ...any) *failure.Error {
	message := fmt.Sprintf(format, args...)
	if param != "" {
		message = param + ": " + message
	}
	return &failure.Error{Status: http.StatusBadRequest, Type: failure.InvalidRequest, Param: param, Message: message}
}

// unreadable is the error for JSON that is not what the API describes. at is the path of what
// was read, "" for the whole body.
func unreadable(at string, err error) *failure.Error {
	var wrong *json.UnmarshalTypeError
	if !errors.As(err, &wrong) {
		return invalid(at, "the request is not JSON (%v); send one JSON object", err)
	}
	param := strings.Trim(at+"."+wrong.Field, ".")
	return invalid(param, "a JSON %s is not allowed here; see https://docs.anthropic.com/en/api/messages", wrong.Value)
}
