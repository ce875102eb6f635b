package responses

import (
	"cmp"
	"encoding/json"
	"fmt"

	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/chat"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/sse"
)

// The states of a response and of its items.
const (
	inProgress = "in_progress"
	completed  = "completed"
	incomplete = "incomplete"
	failed     = "failed"
)

// fields are those of an event or an item beside the ones that all have.
type fields map[string]any

// none is an empty list, which clients want to see in place of nothing.
var none = []struct{}{}

// response is the response object of the API. Instructions and tools are not repeated, as they
// are in OpenAI's: the object is sent every few seconds while a client waits, and they are long.
type response struct {
	ID                string             `json:"id"`
	Object            string             `json:"object"`
	CreatedAt         int64              `json:"created_at"`
	Status            string             `json:"status"`
	Error             *responseError     `json:"error"`
	IncompleteDetails *incompleteDetails `json:"incomplete_details"`
	Instructions      *string            `json:"instructions"`
	MaxOutputTokens   *int               `json:"max_output_tokens"`
	Metadata          struct{}           `json:"metadata"`
	Model             string             `json:"model"`
	Output            []any              `json:"output"`
	ParallelToolCalls bool               `json:"parallel_tool_calls"`
	Store             bool               `json:"store"`
	Temperature       *float64           `json:"temperature"`
	ToolChoice        json.RawMessage    `json:"tool_choice"`
	Tools             []struct{}         `json:"tools"`
	TopP              *float64           `json:"top_p"`
	Usage             *usage             `json:"usage"`
}

type responseError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

type incompleteDetails struct {
	Reason string `json:"reason"`
}

type usage struct {
	InputTokens         int           `json:"input_tokens"`
	InputTokensDetails  inputDetails  `json:"input_tokens_details"`
	OutputTokens        int           `json:"output_tokens"`
	OutputTokensDetails outputDetails `json:"output_tokens_details"`
	TotalTokens         int           `json:"total_tokens"`
}

// inputDetails says how much of a prompt the engine had in its cache. To keep a prompt there
// costs nothing here, so that no tokens are counted for it.
type inputDetails struct {
	CachedTokens     int `json:"cached_tokens"`
	CacheWriteTokens int `json:"cache_write_tokens"`
}

// outputDetails has no count of tokens that a model thought: the engine tells none.
type outputDetails struct {
	ReasoningTokens int `json:"reasoning_tokens"`
}

// event returns an event of the stream with its number.
func (a *Answer) event(kind string, with fields) []byte {
	with["type"] = kind
	with["sequence_number"] = a.sequence
	a.sequence++
	return sse.Named(kind, with)
}

func (a *Answer) responseEvent(kind string) []byte {
	return a.event(kind, fields{"response": a.response()})
}

// response returns the response as it stands. While a message is open, it is listed with what is
// said so far: OpenAI's library for Go takes the list for all there is.
func (a *Answer) response() response {
	asked := a.request
	object := response{
		ID:                idPrefix + a.id,
		Object:            "response",
		CreatedAt:         a.created.Unix(),
		Status:            a.status,
		Error:             a.failed,
		MaxOutputTokens:   asked.maxOutputTokens,
		Model:             asked.Chat.Model,
		Output:            a.output,
		ParallelToolCalls: !asked.oneCall,
		Temperature:       asked.Chat.Temperature,
		ToolChoice:        asked.toolChoice,
		Tools:             none,
		TopP:              asked.Chat.TopP,
	}
	if len(object.ToolChoice) == 0 || string(object.ToolChoice) == "null" {
		object.ToolChoice = json.RawMessage(`"auto"`)
	}
	if a.status == incomplete {
		object.IncompleteDetails = &incompleteDetails{Reason: "max_output_tokens"}
	}
	if a.status == inProgress && a.isOpen {
		object.Output = []any{a.message(inProgress, a.text.String())}
	}
	if a.usage != nil && a.isOver() {
		object.Usage = translateUsage(*a.usage)
	}
	return object
}

func translateUsage(counted chat.Usage) *usage {
	translated := &usage{
		InputTokens:  counted.PromptTokens,
		OutputTokens: counted.CompletionTokens,
		TotalTokens:  counted.TotalTokens,
	}
	if details := counted.PromptTokensDetails; details != nil {
		translated.InputTokensDetails.CachedTokens = details.CachedTokens
	}
	return translated
}

// message returns the item of what the model says. There is one at most, and it comes first.
func (a *Answer) message(status string, texts ...string) fields {
	content := []fields{}
	for _, text := range texts {
		content = append(content, outputText(text))
	}
	return fields{"id": a.messageID(), "type": "message", "status": status, "role": chat.Assistant, "content": content}
}

func (a *Answer) messageID() string { return "msg_" + a.id }

func outputText(text string) fields {
	return fields{"type": "output_text", "text": text, "annotations": none, "logprobs": none}
}

// textEvent returns an event about the text of the message.
func (a *Answer) textEvent(kind string, with fields) []byte {
	with["item_id"], with["output_index"], with["content_index"] = a.messageID(), 0, 0
	return a.event(kind, with)
}

func (a *Answer) openMessage() []byte {
	events := a.event("response.output_item.added", fields{"output_index": 0, "item": a.message(inProgress)})
	return append(events, a.textEvent("response.content_part.added", fields{"part": outputText("")})...)
}

func (a *Answer) closeMessage() []byte {
	text := a.text.String()
	message := a.message(a.lastStatus(), text)
	a.output = append(a.output, message)
	events := a.textEvent("response.output_text.done", fields{"text": text, "logprobs": none})
	events = append(events, a.textEvent("response.content_part.done", fields{"part": outputText(text)})...)
	return append(events, a.event("response.output_item.done", fields{"output_index": 0, "item": message})...)
}

// wording is how a kind of call is spelled in items and events.
type wording struct{ kind, id, field, event string }

var (
	functionCall = wording{"function_call", "fc_", "arguments", "response.function_call_arguments"}
	customCall   = wording{"custom_tool_call", "ctc_", "input", "response.custom_tool_call_input"}
)

// item returns a call as an item of the output. Codex finds a tool of a namespace by both names,
// in fields of their own (https://github.com/openai/codex, codex-rs/core/src/tools/router.rs).
func (w wording) item(id, callID string, to origin, status, value string) fields {
	item := fields{"id": id, "type": w.kind, "status": status, "call_id": callID, "name": to.name, w.field: value}
	if to.namespace != "" {
		item["namespace"] = to.namespace
	}
	return item
}

// callEvents returns all events of a call, the number-th of the answer.
func (a *Answer) callEvents(number int, call chat.ToolCall) []byte {
	to := a.request.tools.origin(call.Function.Name)
	as, value := functionCall, cmp.Or(call.Function.Arguments, noArguments)
	if to.custom {
		as, value = customCall, customInput(value)
	}
	id := fmt.Sprintf("%s%s_%d", as.id, a.id, number)
	callID := cmp.Or(call.ID, fmt.Sprintf("call_%s_%d", a.id, number))
	index, done := len(a.output), as.item(id, callID, to, completed, value)
	a.output = append(a.output, done)

	events := a.event("response.output_item.added", fields{
		"output_index": index, "item": as.item(id, callID, to, inProgress, ""),
	})
	events = append(events, a.event(as.event+".delta", fields{"item_id": id, "output_index": index, "delta": value})...)
	events = append(events, a.event(as.event+".done", fields{
		"item_id": id, "output_index": index, "name": to.name, as.field: value,
	})...)
	return append(events, a.event("response.output_item.done", fields{"output_index": index, "item": done})...)
}
