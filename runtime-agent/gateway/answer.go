package gateway

import (
	"cmp"
	"encoding/json"
	"strings"

	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/chat"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/engine"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/failure"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/sse"
)

// answer turns what the engine streams into what the clients of one API read.
type answer interface {
	// Begin returns what a stream may begin with before the engine has said anything.
	Begin() []byte
	// Alive returns what keeps a client of a stream waiting; note is for people who read along.
	Alive(note string) []byte
	// Add returns what an event of the engine adds to a stream; the last one is Done.
	Add(event engine.Event) []byte
	// Fail returns how a stream ends that has begun and cannot go on.
	Fail(failed *failure.Error) []byte
	// Whole returns the answer in one piece, after the last event.
	Whole() []byte
}

// translator is an answer of another API, in terms of the chat that the engine has.
type translator interface {
	Begin() []byte
	Alive() []byte
	Add(chunk chat.Chunk) []byte
	End() []byte
	Fail(failed *failure.Error) []byte
	Whole() []byte
}

// translated makes an answer of a translator.
type translated struct{ translator }

func (t translated) Alive(string) []byte { return t.translator.Alive() }

func (t translated) Add(event engine.Event) []byte {
	if event.Done {
		return t.End()
	}
	return t.translator.Add(event.Chunk)
}

// relayed is an answer in the engine's own API: a stream goes through as it is.
type relayed struct {
	// text is true for /v1/completions.
	text  bool
	first chat.Chunk
	// What the answer has so far.
	content, reasoning strings.Builder
	calls              []chat.ToolCall
	finish             string
	usage              chat.Usage
}

func (*relayed) Begin() []byte { return nil }

func (*relayed) Alive(note string) []byte { return sse.Comment(note) }

func (*relayed) Fail(failed *failure.Error) []byte {
	return append(sse.Data(failed.InStream()), sse.End()...)
}

func (a *relayed) Add(event engine.Event) []byte {
	if a.first.ID == "" {
		a.first = event.Chunk
	}
	if event.Chunk.Usage != nil {
		a.usage = *event.Chunk.Usage
	}
	for _, choice := range event.Chunk.Choices {
		a.add(choice)
	}
	return event.Raw
}

func (a *relayed) add(choice chat.ChunkChoice) {
	for _, part := range []*string{choice.Text, choice.Delta.Content} {
		if part != nil {
			a.content.WriteString(*part)
		}
	}
	a.reasoning.WriteString(choice.Delta.Reasoning)
	for _, part := range choice.Delta.ToolCalls {
		a.addCall(part)
	}
	if choice.FinishReason != nil {
		a.finish = *choice.FinishReason
	}
}

// addCall adds a part of a tool call to the call with its index.
func (a *relayed) addCall(part chat.ToolCall) {
	index := len(a.calls)
	if part.Index != nil {
		index = *part.Index
	}
	if index < 0 || index >= len(a.calls) {
		part.Index = nil
		a.calls = append(a.calls, part)
		return
	}
	call := &a.calls[index]
	call.ID = cmp.Or(call.ID, part.ID)
	call.Function.Name = cmp.Or(call.Function.Name, part.Function.Name)
	call.Function.Arguments += part.Function.Arguments
}

// completion is an answer in one piece.
type completion struct {
	ID      string             `json:"id"`
	Object  string             `json:"object"`
	Created int64              `json:"created"`
	Model   string             `json:"model"`
	Choices []completionChoice `json:"choices"`
	Usage   chat.Usage         `json:"usage"`
}

type completionChoice struct {
	Index        int              `json:"index"`
	Message      *completeMessage `json:"message,omitempty"`
	Text         *string          `json:"text,omitempty"`
	Logprobs     any              `json:"logprobs"`
	FinishReason string           `json:"finish_reason"`
}

type completeMessage struct {
	Role      string          `json:"role"`
	Content   *string         `json:"content"`
	Reasoning string          `json:"reasoning,omitempty"`
	Refusal   *string         `json:"refusal"`
	ToolCalls []chat.ToolCall `json:"tool_calls,omitempty"`
}

func (a *relayed) Whole() []byte {
	content := chat.Text(a.content.String())
	choice := completionChoice{FinishReason: a.finish}
	whole := completion{ID: a.first.ID, Created: a.first.Created, Model: a.first.Model, Usage: a.usage}
	if a.text {
		whole.Object, choice.Text = "text_completion", content
	} else {
		whole.Object = "chat.completion"
		if *content == "" && len(a.calls) > 0 {
			content = nil
		}
		choice.Message = &completeMessage{Role: chat.Assistant, Content: content, Reasoning: a.reasoning.String(), ToolCalls: a.calls}
	}
	whole.Choices = []completionChoice{choice}
	body, _ := json.Marshal(whole) // strings and numbers can always be encoded
	return body
}
