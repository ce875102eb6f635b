package messages

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/chat"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/failure"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/sse"
)

// Answer builds the answer to one request from what the engine streams. Text is passed on at
// once. Tool calls come when the answer has ended, each in one piece: Claude Code
// begins to run a call as soon as its block ends, and would run it twice if the stream broke after
// that and it asked again. So chunks may give no events for minutes; Alive bridges that time.
type Answer struct {
	id      string
	model   string
	oneCall bool
	given   given

	begun, inText bool
	text          strings.Builder
	reasoning     strings.Builder
	calls         []*call
	finish        string
	usage         usage
	content       []contentBlock // set by End
}

// call is a tool call as it has arrived so far.
type call struct {
	index     *int
	id, name  string
	arguments []byte
}

// The objects of the API, as far as the engine's answers need them.
type (
	messageObject struct {
		ID           string         `json:"id"`
		Type         string         `json:"type"`
		Role         string         `json:"role"`
		Model        string         `json:"model"`
		Content      []contentBlock `json:"content"`
		StopReason   *string        `json:"stop_reason"`
		StopSequence *string        `json:"stop_sequence"`
		Usage        usage          `json:"usage"`
	}
	contentBlock struct {
		Type  string          `json:"type"`
		Text  *string         `json:"text,omitempty"`
		ID    string          `json:"id,omitempty"`
		Name  *string         `json:"name,omitempty"`
		Input json.RawMessage `json:"input,omitempty"`
	}
	// InputTokens are those that were not in the cache.
	usage struct {
		InputTokens              int `json:"input_tokens"`
		CacheCreationInputTokens int `json:"cache_creation_input_tokens"`
		CacheReadInputTokens     int `json:"cache_read_input_tokens"`
		OutputTokens             int `json:"output_tokens"`
	}
	messageStart struct {
		Type    string        `json:"type"`
		Message messageObject `json:"message"`
	}
	blockStart struct {
		Type  string       `json:"type"`
		Index int          `json:"index"`
		Block contentBlock `json:"content_block"`
	}
	blockDelta struct {
		Type  string `json:"type"`
		Index int    `json:"index"`
		Delta any    `json:"delta"`
	}
	textDelta struct {
		Type string `json:"type"`
		Text string `json:"text"`
	}
	inputDelta struct {
		Type        string `json:"type"`
		PartialJSON string `json:"partial_json"`
	}
	blockStop struct {
		Type  string `json:"type"`
		Index int    `json:"index"`
	}
	messageDelta struct {
		Type  string    `json:"type"`
		Delta stopDelta `json:"delta"`
		Usage usage     `json:"usage"`
	}
	stopDelta struct {
		StopReason   string  `json:"stop_reason"`
		StopSequence *string `json:"stop_sequence"`
	}
	plainEvent struct {
		Type string `json:"type"`
	}
)

// Answer returns the answer to the request, with the id of its message. The API has no field for
// the time.
func (r *Request) Answer(id string, _ time.Time) *Answer {
	return &Answer{id: id, model: r.Chat.Model, oneCall: r.oneCall, given: given{rest: lastWords(r.Chat.Messages)}}
}

// Begin returns the event that a stream begins with. The tokens of the prompt are not counted
// yet: the last events tell them.
func (a *Answer) Begin() []byte {
	a.begun = true
	start := a.object()
	start.Content = []contentBlock{}
	return sse.Named("message_start", messageStart{"message_start", start})
}

// Alive returns an event that only keeps the client waiting.
func (a *Answer) Alive() []byte { return sse.Named("ping", plainEvent{"ping"}) }

// Add returns the events for one chunk of the engine, if there are any.
func (a *Answer) Add(chunk chat.Chunk) []byte {
	out := a.beginOnce()
	if chunk.Usage != nil {
		a.usage = translateUsage(*chunk.Usage)
	}
	for _, choice := range chunk.Choices {
		if choice.FinishReason != nil && *choice.FinishReason != "" {
			a.finish = *choice.FinishReason
		}
		a.reasoning.WriteString(choice.Delta.Reasoning)
		for _, piece := range choice.Delta.ToolCalls {
			a.addCall(piece)
		}
		if choice.Delta.Content != nil {
			out = append(out, a.addText(a.given.leaveOut(*choice.Delta.Content))...)
		}
	}
	return out
}

// End returns the last events, after the engine's last chunk.
func (a *Answer) End() []byte {
	out := a.beginOnce()
	calls := a.finishedCalls()
	if len(calls) == 0 && strings.TrimSpace(a.text.String()) == "" {
		// Some templates have a model think all that it says. Otherwise reasoning is left out:
		// a thinking block needs Anthropic's signature.
		out = append(out, a.addText(a.reasoning.String())...)
	}
	if a.inText {
		text := a.text.String()
		a.content = append(a.content, contentBlock{Type: "text", Text: &text})
		out = append(out, stopBlock(0)...)
	}
	for _, c := range calls {
		out = append(out, startCall(len(a.content), c)...)
		a.content = append(a.content, c)
	}
	out = append(out, sse.Named("message_delta", messageDelta{"message_delta", stopDelta{StopReason: a.stopReason()}, a.usage})...)
	return append(out, sse.Named("message_stop", plainEvent{"message_stop"})...)
}

// Fail returns the last event of a stream that fails, before Begin or after it. No block and no
// message ends: nothing of the answer may pass for a whole one.
func (a *Answer) Fail(err *failure.Error) []byte { return sse.Named("error", errorObject(err)) }

// Whole returns the answer in JSON for a client that does not stream, after End.
func (a *Answer) Whole() []byte {
	whole := a.object()
	whole.Content = append([]contentBlock{}, a.content...)
	reason := a.stopReason()
	whole.StopReason = &reason
	encoded, err := json.Marshal(whole)
	if err != nil {
		panic(err) // a mistake in the program: inputs are checked by inputOf
	}
	return encoded
}

// Count returns the answer of count_tokens.
func Count(tokens int) []byte { return fmt.Appendf(nil, `{"input_tokens":%d}`, tokens) }

func (a *Answer) object() messageObject {
	return messageObject{ID: a.id, Type: "message", Role: chat.Assistant, Model: a.model, Usage: a.usage}
}

func (a *Answer) beginOnce() []byte {
	if a.begun {
		return nil
	}
	return a.Begin()
}

// addText adds to the one text block, which is the first block.
func (a *Answer) addText(text string) []byte {
	if text == "" {
		return nil
	}
	var out []byte
	if !a.inText {
		a.inText = true
		empty := ""
		out = sse.Named("content_block_start", blockStart{"content_block_start", 0, contentBlock{Type: "text", Text: &empty}})
	}
	a.text.WriteString(text)
	return append(out, sse.Named("content_block_delta", blockDelta{"content_block_delta", 0, textDelta{"text_delta", text}})...)
}

func (a *Answer) addCall(piece chat.ToolCall) {
	c := a.callOf(piece)
	if c.id == "" {
		c.id = piece.ID
	}
	if c.name == "" {
		c.name = piece.Function.Name
	}
	c.arguments = append(c.arguments, piece.Function.Arguments...)
}

// callOf returns the call that a piece belongs to. A piece without an index belongs to the last
// call unless it names a function.
func (a *Answer) callOf(piece chat.ToolCall) *call {
	if piece.Index == nil && piece.Function.Name == "" && len(a.calls) > 0 {
		return a.calls[len(a.calls)-1]
	}
	for _, c := range a.calls {
		if piece.Index != nil && c.index != nil && *c.index == *piece.Index {
			return c
		}
	}
	c := &call{index: piece.Index}
	a.calls = append(a.calls, c)
	return c
}

// finishedCalls leaves out a call that the limit of tokens has cut, and all but the first if the
// client wants no more.
func (a *Answer) finishedCalls() []contentBlock {
	var blocks []contentBlock
	for i, c := range a.calls {
		arguments := bytes.TrimSpace(c.arguments)
		if a.finish == chat.Length && !isWhole(arguments) {
			continue
		}
		id := c.id
		if id == "" {
			id = fmt.Sprintf("toolu_%s_%d", a.id, i)
		}
		blocks = append(blocks, contentBlock{Type: toolUse, ID: id, Name: &c.name, Input: inputOf(arguments)})
	}
	if a.oneCall && len(blocks) > 1 {
		return blocks[:1]
	}
	return blocks
}

func isWhole(arguments []byte) bool { return json.Valid(arguments) && isObject(arguments) }

// inputOf returns arguments as the object that clients parse. What is no object is wrapped as
// Anthropic's documentation of fine-grained tool streaming does it: the client refuses it by its
// schema, and the model sees what it wrote.
func inputOf(arguments []byte) json.RawMessage {
	switch {
	case len(arguments) == 0:
		return json.RawMessage("{}")
	case isWhole(arguments):
		return arguments
	default:
		wrapped, _ := json.Marshal(map[string]string{"INVALID_JSON": string(arguments)}) // strings can always be encoded
		return wrapped
	}
}

func startCall(index int, c contentBlock) []byte {
	input := string(c.Input)
	c.Input = json.RawMessage("{}")
	out := sse.Named("content_block_start", blockStart{"content_block_start", index, c})
	out = append(out, sse.Named("content_block_delta", blockDelta{"content_block_delta", index, inputDelta{"input_json_delta", input}})...)
	return append(out, stopBlock(index)...)
}

func stopBlock(index int) []byte {
	return sse.Named("content_block_stop", blockStop{"content_block_stop", index})
}

// stopReason never is stop_sequence: Chat Completions does not tell it from an end of turn.
func (a *Answer) stopReason() string {
	switch {
	case a.finish == chat.Length:
		return "max_tokens"
	case len(a.calls) > 0:
		return "tool_use"
	default:
		return "end_turn"
	}
}

// translateUsage takes the tokens of the cache out of those of the prompt: Anthropic's clients
// add them up.
func translateUsage(u chat.Usage) usage {
	translated := usage{InputTokens: u.PromptTokens, OutputTokens: u.CompletionTokens}
	if u.PromptTokensDetails != nil {
		translated.CacheReadInputTokens = u.PromptTokensDetails.CachedTokens
		translated.InputTokens = max(0, u.PromptTokens-u.PromptTokensDetails.CachedTokens)
	}
	return translated
}
