// Package responses translates requests of OpenAI's Responses API to Chat Completions, and what
// the engine answers back (https://platform.openai.com/docs/api-reference/responses). Nothing is
// stored: every request has to hold its whole history.
package responses

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/chat"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/failure"
)

// Request is a request that the engine can be asked.
type Request struct {
	// Chat is what the engine is asked. It always streams with usage.
	Chat chat.Request
	// Stream is whether the client wants a stream.
	Stream bool
	// CacheKey tells conversations of one client apart, "" if it does not say.
	CacheKey string

	tools           *toolbox
	oneCall         bool
	toolChoice      json.RawMessage
	maxOutputTokens *int
}

// body holds the fields of a request that change its answer. All others are accepted and
// dropped: hints for a vendor's caches, ids, what to store, and how much to think.
type body struct {
	Model              string          `json:"model"`
	Instructions       string          `json:"instructions"`
	Input              *input          `json:"input"`
	Tools              []tool          `json:"tools"`
	ToolChoice         json.RawMessage `json:"tool_choice"`
	ParallelToolCalls  *bool           `json:"parallel_tool_calls"`
	Text               textOptions     `json:"text"`
	MaxOutputTokens    *int            `json:"max_output_tokens"`
	Temperature        *float64        `json:"temperature"`
	TopP               *float64        `json:"top_p"`
	Stream             bool            `json:"stream"`
	Background         bool            `json:"background"`
	PreviousResponseID string          `json:"previous_response_id"`
	Conversation       any             `json:"conversation"`
	Prompt             any             `json:"prompt"`
	PromptCacheKey     string          `json:"prompt_cache_key"`
}

type textOptions struct {
	Format *format `json:"format"`
}

type format struct {
	Type        string          `json:"type"`
	Name        string          `json:"name"`
	Description string          `json:"description"`
	Schema      json.RawMessage `json:"schema"`
	Strict      *bool           `json:"strict"`
}

// Decode translates the body of a request. The error has status 400 and names the field that is
// wrong.
func Decode(data []byte) (*Request, *failure.Error) {
	var b body
	if err := json.Unmarshal(data, &b); err != nil {
		return nil, notDecoded(data, err)
	}
	if wrong := b.check(); wrong != nil {
		return nil, wrong
	}
	tools, wrong := newToolbox(b.Tools)
	if wrong != nil {
		return nil, wrong
	}
	messages, wrong := translate(b.Instructions, *b.Input, tools)
	if wrong != nil {
		return nil, wrong
	}
	choice, wrong := tools.choose(b.ToolChoice)
	if wrong != nil {
		return nil, wrong
	}
	responseFormat, wrong := b.Text.Format.translate()
	if wrong != nil {
		return nil, wrong
	}
	request := &Request{
		Chat: chat.Request{
			Model:          b.Model,
			Messages:       messages,
			Tools:          tools.defs,
			ToolChoice:     choice,
			Temperature:    b.Temperature,
			TopP:           b.TopP,
			ResponseFormat: responseFormat,
			Stream:         true,
			StreamOptions:  &chat.StreamOptions{IncludeUsage: true},
		},
		Stream:          b.Stream,
		CacheKey:        b.PromptCacheKey,
		tools:           tools,
		oneCall:         b.ParallelToolCalls != nil && !*b.ParallelToolCalls,
		toolChoice:      b.ToolChoice,
		maxOutputTokens: b.MaxOutputTokens,
	}
	if b.MaxOutputTokens != nil {
		request.Chat.MaxTokens = *b.MaxOutputTokens
	}
	return request, nil
}

// check refuses what would need something stored, and what is missing.
func (b *body) check() *failure.Error {
	const nothingStored = "This server stores no responses: send the whole history in \"input\" instead."
	switch {
	case b.PreviousResponseID != "":
		return invalid("previous_response_id", nothingStored)
	case b.Conversation != nil:
		return invalid("conversation", nothingStored)
	case b.Background:
		return invalid("background", "This server stores no responses, so that none can be fetched later: leave out \"background\".")
	case b.Prompt != nil:
		return invalid("prompt", "This server stores no prompts: send its text in \"instructions\" or \"input\" instead.")
	case b.Input == nil:
		return invalid("input", "\"input\" is missing: send a text or a list of items.")
	case b.MaxOutputTokens != nil && *b.MaxOutputTokens < 1:
		return invalid("max_output_tokens", "\"max_output_tokens\" is %d, but must be 1 or more.", *b.MaxOutputTokens)
	}
	return nil
}

// translate returns the response_format of Chat Completions, nil for plain text.
func (f *format) translate() (json.RawMessage, *failure.Error) {
	if f == nil {
		return nil, nil
	}
	switch f.Type {
	case "text", "":
		return nil, nil
	case "json_object":
		return json.RawMessage(`{"type":"json_object"}`), nil
	case "json_schema":
		return f.schema()
	}
	return nil, invalid("text.format.type", "The format %q is not known: use text, json_object or json_schema.", f.Type)
}

func (f *format) schema() (json.RawMessage, *failure.Error) {
	if len(f.Schema) == 0 || string(f.Schema) == "null" {
		return nil, invalid("text.format.schema", "\"text.format\" is of type json_schema, but has no \"schema\".")
	}
	type schema struct {
		Name        string          `json:"name,omitempty"`
		Description string          `json:"description,omitempty"`
		Schema      json.RawMessage `json:"schema"`
		Strict      *bool           `json:"strict,omitempty"`
	}
	encoded, _ := json.Marshal(struct {
		Type       string `json:"type"`
		JSONSchema schema `json:"json_schema"`
	}{f.Type, schema{f.Name, f.Description, f.Schema, f.Strict}}) // it was decoded from JSON
	return encoded, nil
}

// notDecoded says where a body is wrong. Only then are its items looked at one by one, as a body
// may be large.
func notDecoded(data []byte, err error) *failure.Error {
	var b struct {
		Input []json.RawMessage `json:"input"`
	}
	if json.Unmarshal(data, &b) != nil {
		return wrongValue("", err)
	}
	for i, raw := range b.Input {
		var it item
		if err := json.Unmarshal(raw, &it); err != nil {
			return wrongValue(fmt.Sprintf("input[%d]", i), err)
		}
	}
	return wrongValue("", err)
}

// wrongValue says what is wrong with the value at path, or somewhere below it.
func wrongValue(path string, err error) *failure.Error {
	var wrongType *json.UnmarshalTypeError
	if !errors.As(err, &wrongType) {
		return invalid(path, "The body of the request cannot be decoded: %v.", err)
	}
	path = strings.Trim(path+"."+wrongType.Field, ".")
	return invalid(path, "The request holds a JSON %s where none can be (%s).", wrongType.Value, cmp.Or(path, "body"))
}

func invalid(param, format string, args ...any) *failure.Error {
	return &failure.Error{
		Status:  http.StatusBadRequest,
		Type:    failure.InvalidRequest,
		Param:   param,
		Message: fmt.Sprintf(format, args...),
	}
}

// ErrorBody returns the body of an error that has a status of its own.
func ErrorBody(err *failure.Error) []byte { return err.Body() }
