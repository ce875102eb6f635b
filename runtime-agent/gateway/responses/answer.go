package responses

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/chat"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/failure"
)

// Answer translates what the engine streams for one request. Its bytes are complete events.
//
// Text is passed on as it comes. Calls of tools are held back until the answer is whole, so that
// no client runs a part of one: the engine sends a call in one piece and at the end anyway. What
// a model thinks is left out, unless it said nothing else.
type Answer struct {
	request  *Request
	id       string
	created  time.Time
	sequence int
	hasBegun bool
	// status is that of the response: in_progress until its last event is written.
	status   string
	failed   *responseError
	isOpen   bool
	text     strings.Builder
	thoughts strings.Builder
	calls    []chat.ToolCall
	finish   string
	usage    *chat.Usage
	output   []any
}

// idPrefix is what ids of responses begin with.
const idPrefix = "resp_"

// Answer begins the answer to one request. id is unique; what follows its prefix "resp_" is in
// the ids of the items as well.
func (r *Request) Answer(id string, created time.Time) *Answer {
	return &Answer{request: r, id: strings.TrimPrefix(id, idPrefix), created: created, status: inProgress, output: []any{}}
}

// Begin returns the events before the engine has said anything. Later ones bring them along if
// it was not called.
func (a *Answer) Begin() []byte {
	if a.hasBegun {
		return nil
	}
	a.hasBegun = true
	return append(a.responseEvent("response.created"), a.responseEvent("response.in_progress")...)
}

// Alive returns an event that only says that the answer is still being worked on.
func (a *Answer) Alive() []byte {
	switch {
	case a.isOver():
		return nil
	case !a.hasBegun:
		return a.Begin()
	}
	return a.responseEvent("response.in_progress")
}

// Add returns the events for one chunk of the engine: none for a part of a call.
func (a *Answer) Add(chunk chat.Chunk) []byte {
	if a.isOver() {
		return nil
	}
	events := a.Begin()
	if chunk.Usage != nil {
		a.usage = chunk.Usage
	}
	for _, choice := range chunk.Choices {
		if choice.FinishReason != nil {
			a.finish = *choice.FinishReason
		}
		a.thoughts.WriteString(choice.Delta.Reasoning)
		for _, call := range choice.Delta.ToolCalls {
			a.addCall(call)
		}
		if choice.Delta.Content != nil {
			events = append(events, a.say(*choice.Delta.Content)...)
		}
	}
	return events
}

// addCall adds a call, or a part of one: parts have one index.
func (a *Answer) addCall(part chat.ToolCall) {
	call := a.callOf(part)
	if call.ID == "" {
		call.ID = part.ID
	}
	if call.Function.Name == "" {
		call.Function.Name = part.Function.Name
	}
	call.Function.Arguments += part.Function.Arguments
}

func (a *Answer) callOf(part chat.ToolCall) *chat.ToolCall {
	for i := range a.calls {
		if index := a.calls[i].Index; index != nil && part.Index != nil && *index == *part.Index {
			return &a.calls[i]
		}
	}
	a.calls = append(a.calls, chat.ToolCall{Index: part.Index})
	return &a.calls[len(a.calls)-1]
}

// say returns the events for a piece of text, and those that its message begins with.
func (a *Answer) say(text string) []byte {
	if text == "" {
		return nil
	}
	var events []byte
	if !a.isOpen {
		a.isOpen = true
		events = a.openMessage()
	}
	a.text.WriteString(text)
	return append(events, a.textEvent("response.output_text.delta", fields{"delta": text, "logprobs": none})...)
}

// End returns the last events of an answer that the engine has given to its end.
func (a *Answer) End() []byte {
	if a.isOver() {
		return nil
	}
	events := a.Begin()
	calls := a.wholeCalls()
	if !a.isOpen && len(calls) == 0 {
		events = append(events, a.say(a.thoughts.String())...)
	}
	if a.isOpen {
		events = append(events, a.closeMessage()...)
	}
	for i, call := range calls {
		events = append(events, a.callEvents(i, call)...)
	}
	a.status = a.lastStatus()
	return append(events, a.responseEvent("response."+a.status)...)
}

func (a *Answer) lastStatus() string {
	if a.finish == chat.Length {
		return incomplete
	}
	return completed
}

// wholeCalls returns the calls that a client may run. One whose arguments were cut off must not
// be: the beginning of a patch, say, can be a patch as well.
func (a *Answer) wholeCalls() []chat.ToolCall {
	var calls []chat.ToolCall
	for _, call := range a.calls {
		isCut := a.finish == chat.Length && !json.Valid([]byte(call.Function.Arguments))
		if call.Function.Name != "" && !isCut {
			calls = append(calls, call)
		}
	}
	if a.request.oneCall && len(calls) > 1 {
		return calls[:1]
	}
	return calls
}

// Fail returns the last events of an answer that comes to no end. What has begun stays open, as
// clients take what is done for whole.
//
// OpenAI's libraries raise an error for an event with the field "error"
// (https://github.com/openai/openai-go, packages/ssestream), its documentation has the same in
// fields of the event itself, and Codex reads neither but response.failed
// (https://github.com/openai/codex, codex-rs/codex-api/src/sse/responses.rs).
func (a *Answer) Fail(err *failure.Error) []byte {
	if a.isOver() {
		return nil
	}
	events := a.Begin()
	detail := err.Object().Error
	events = append(events, a.event("error", fields{
		"code": detail.Code, "message": detail.Message, "param": detail.Param, "error": detail,
	})...)
	a.status, a.failed = failed, codexError(err)
	return append(events, a.responseEvent("response.failed")...)
}

// codexError returns the error of a failed response. Its codes are those that OpenAI's API has
// there and Codex acts on: it sends a request again unless its prompt is too long or invalid, and
// after a while that it finds in the message if the rate is limited.
func codexError(err *failure.Error) *responseError {
	switch {
	case err.Code == failure.ContextLengthExceeded:
		return &responseError{Code: err.Code, Message: err.Message}
	case err.Type == failure.InvalidRequest:
		return &responseError{Code: "invalid_prompt", Message: err.Message}
	case err.Type == failure.RateLimit && err.RetryAfter > 0:
		message := fmt.Sprintf("%s Please try again in %.0fs.", err.Message, err.RetryAfter.Seconds())
		return &responseError{Code: "rate_limit_exceeded", Message: message}
	case err.Type == failure.RateLimit:
		return &responseError{Code: "rate_limit_exceeded", Message: err.Message}
	}
	return &responseError{Code: "server_error", Message: err.Message}
}

// Whole returns the whole response for a client that does not stream.
func (a *Answer) Whole() []byte {
	encoded, _ := json.Marshal(a.response()) // it was decoded from JSON
	return encoded
}

func (a *Answer) isOver() bool { return a.status != inProgress }
