// Package chat holds the format of Chat Completions, the one API that the engine is asked by
// (https://platform.openai.com/docs/api-reference/chat).
package chat

import (
	"encoding/json"
	"slices"
	"strings"
)

// The roles of messages.
const (
	System    = "system"
	Developer = "developer"
	User      = "user"
	Assistant = "assistant"
	Tool      = "tool"
)

// The reasons why an answer ends.
const (
	Stop      = "stop"
	Length    = "length"
	ToolCalls = "tool_calls"
)

// ChunkObject is the "object" of a Chunk; plain completions have another.
const ChunkObject = "chat.completion.chunk"

// Request is a request as the gateway writes one itself, for other APIs that it translates.
type Request struct {
	Model    string    `json:"model,omitempty"`
	Messages []Message `json:"messages"`
	Tools    []ToolDef `json:"tools,omitempty"`
	// ToolChoice is "auto", "none", "required" or the object that names a function; nil is
	// "auto".
	ToolChoice     any             `json:"tool_choice,omitempty"`
	MaxTokens      int             `json:"max_tokens,omitempty"`
	Temperature    *float64        `json:"temperature,omitempty"`
	TopP           *float64        `json:"top_p,omitempty"`
	TopK           *int            `json:"top_k,omitempty"`
	Stop           []string        `json:"stop,omitempty"`
	ResponseFormat json.RawMessage `json:"response_format,omitempty"`
	Stream         bool            `json:"stream,omitempty"`
	StreamOptions  *StreamOptions  `json:"stream_options,omitempty"`
}

// StreamOptions asks for the event with Usage.
type StreamOptions struct {
	IncludeUsage bool `json:"include_usage"`
}

// ToolDef describes a tool that the model may call.
type ToolDef struct {
	// Type is "function".
	Type     string      `json:"type"`
	Function FunctionDef `json:"function"`
}

// FunctionDef is the signature of a function; Parameters is a JSON schema.
type FunctionDef struct {
	Name        string          `json:"name"`
	Description string          `json:"description,omitempty"`
	Parameters  json.RawMessage `json:"parameters,omitempty"`
}

// SortTools puts tools in the order of their names. Clients that get them from several servers list
// them as those answer, and the engine reads again all that follows a difference.
func SortTools(tools []ToolDef) {
	slices.SortStableFunc(tools, func(a, b ToolDef) int { return strings.Compare(a.Function.Name, b.Function.Name) })
}

// Message is one message of a history.
type Message struct {
	Role string `json:"role"`
	// Content is null in JSON where it is nil, as with an answer that is tool calls alone.
	Content    *string    `json:"content"`
	ToolCalls  []ToolCall `json:"tool_calls,omitempty"`
	ToolCallID string     `json:"tool_call_id,omitempty"`
}

// ToolCall is a call that the model has made. In a stream, parts with one Index belong together.
type ToolCall struct {
	Index    *int     `json:"index,omitempty"`
	ID       string   `json:"id,omitempty"`
	Type     string   `json:"type,omitempty"`
	Function Function `json:"function"`
}

// Function is what is called, with Arguments in JSON.
type Function struct {
	Name      string `json:"name,omitempty"`
	Arguments string `json:"arguments"`
}

// Chunk is one event of a streamed answer.
type Chunk struct {
	ID      string        `json:"id"`
	Object  string        `json:"object"`
	Created int64         `json:"created"`
	Model   string        `json:"model"`
	Choices []ChunkChoice `json:"choices"`
	Usage   *Usage        `json:"usage,omitempty"`
}

// ChunkChoice is the part of the answer that an event adds.
type ChunkChoice struct {
	Index int   `json:"index"`
	Delta Delta `json:"delta"`
	// Text is what /v1/completions has in place of Delta.
	Text         *string `json:"text,omitempty"`
	FinishReason *string `json:"finish_reason"`
}

// Delta is what an event adds to the message. Reasoning is what a model thinks before it answers;
// it is not a part of the answer.
type Delta struct {
	Role      string     `json:"role,omitempty"`
	Content   *string    `json:"content,omitempty"`
	Reasoning string     `json:"reasoning,omitempty"`
	ToolCalls []ToolCall `json:"tool_calls,omitempty"`
}

// Usage counts tokens.
type Usage struct {
	PromptTokens        int            `json:"prompt_tokens"`
	CompletionTokens    int            `json:"completion_tokens"`
	TotalTokens         int            `json:"total_tokens"`
	PromptTokensDetails *PromptDetails `json:"prompt_tokens_details,omitempty"`
}

// PromptDetails says how much of a prompt the engine had still in its cache.
type PromptDetails struct {
	CachedTokens int `json:"cached_tokens"`
}

// Text returns a content that is text.
func Text(text string) *string { return &text }
