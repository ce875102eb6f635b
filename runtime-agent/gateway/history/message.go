package history

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/chat"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/failure"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/prompt"
)

// message is one of a history. raw is what the client sent, nil once anything was changed.
type message struct {
	raw    []byte
	role   string
	text   string
	callID string
	calls  []chat.ToolCall
	// thoughts is true if raw has what the model thought, besides what it said.
	thoughts bool
}

// wire is a message as clients write it.
type wire struct {
	Role       string            `json:"role"`
	Content    json.RawMessage   `json:"content"`
	Refusal    *string           `json:"refusal"`
	ToolCalls  []json.RawMessage `json:"tool_calls"`
	ToolCallID string            `json:"tool_call_id"`
	// Name and FunctionCall are what tool calls were before there were several: the role of a
	// result is "function" then.
	Name         string         `json:"name"`
	FunctionCall *chat.Function `json:"function_call"`
	// ReasoningContent and Reasoning are what the model thought, by the names of two servers.
	ReasoningContent json.RawMessage `json:"reasoning_content"`
	Reasoning        json.RawMessage `json:"reasoning"`
}

// read decodes message number i.
func read(raw []byte, i int) (message, *failure.Error) {
	field := fmt.Sprintf("messages[%d]", i)
	var said wire
	if err := json.Unmarshal(raw, &said); err != nil {
		return message{}, failure.Invalid(field, "%s is not a message: %v.", field, err)
	}
	m := message{raw: raw, role: said.Role, callID: said.ToolCallID, thoughts: said.ReasoningContent != nil || said.Reasoning != nil}
	switch said.Role {
	case chat.System, chat.Developer, chat.User, chat.Assistant, chat.Tool:
	case "function":
		m.role, m.callID, m.raw = chat.Tool, said.Name, nil
	default:
		return message{}, failure.Invalid(field+".role", "%s.role is %q. It must be system, developer, user, assistant or tool.", field, said.Role)
	}
	var failed *failure.Error
	if m.text, failed = textOf(said.Content, field+".content"); failed != nil {
		return message{}, failed
	}
	if m.text == "" && said.Refusal != nil {
		m.text, m.raw = *said.Refusal, nil
	}
	return m, m.readCalls(said, field)
}

// part is one of the parts of a content.
type part struct {
	Type    string `json:"type"`
	Text    string `json:"text"`
	Refusal string `json:"refusal"`
}

// textOf returns the text of a content: a string, null, or a list of parts, which the engine
// joins as here.
func textOf(content json.RawMessage, field string) (string, *failure.Error) {
	content = bytes.TrimSpace(content)
	if len(content) == 0 || string(content) == "null" {
		return "", nil
	}
	if content[0] == '"' {
		var text string
		err := json.Unmarshal(content, &text)
		return text, invalidContent(field, err)
	}
	var parts []part
	if err := json.Unmarshal(content, &parts); err != nil {
		return "", invalidContent(field, err)
	}
	texts := make([]string, len(parts))
	for i, p := range parts {
		switch p.Type {
		case "text", "input_text", "output_text":
			texts[i] = p.Text
		case "refusal":
			texts[i] = p.Refusal
		default:
			return "", failure.Invalid(fmt.Sprintf("%s[%d]", field, i),
				"%s[%d] is of the type %q. This model reads text only.", field, i, p.Type)
		}
	}
	return strings.Join(texts, partEnd), nil
}

func invalidContent(field string, err error) *failure.Error {
	if err == nil {
		return nil
	}
	return failure.Invalid(field, "%s is neither a string nor a list of parts: %v.", field, err)
}

// readCalls reads the tool calls of a message of the assistant.
func (m *message) readCalls(said wire, field string) *failure.Error {
	if m.role != chat.Assistant {
		return nil
	}
	if said.FunctionCall != nil {
		m.calls = []chat.ToolCall{{ID: said.FunctionCall.Name, Type: "function", Function: *said.FunctionCall}}
		m.raw = nil
	}
	for i, raw := range said.ToolCalls {
		one, whole, err := readCall(raw)
		if err != nil {
			at := fmt.Sprintf("%s.tool_calls[%d]", field, i)
			return failure.Invalid(at, "%s is not a tool call: %v.", at, err)
		}
		if !whole {
			m.raw = nil
		}
		m.calls = append(m.calls, one)
	}
	for i := range m.calls {
		if arguments := object(m.calls[i].Function.Arguments); arguments != m.calls[i].Function.Arguments {
			m.calls[i].Function.Arguments = arguments
			m.raw = nil
		}
	}
	return nil
}

// readCall reads one call, and reports whether it is written as the engine wants it: with
// arguments that are a string.
func readCall(raw []byte) (one chat.ToolCall, whole bool, err error) {
	var said struct {
		ID       string `json:"id"`
		Type     string `json:"type"`
		Function struct {
			Name      string          `json:"name"`
			Arguments json.RawMessage `json:"arguments"`
		} `json:"function"`
	}
	if err := json.Unmarshal(raw, &said); err != nil {
		return chat.ToolCall{}, false, err
	}
	one = chat.ToolCall{ID: said.ID, Type: "function", Function: chat.Function{Name: said.Function.Name}}
	if json.Unmarshal(said.Function.Arguments, &one.Function.Arguments) == nil && string(said.Function.Arguments) != "null" {
		return one, said.Type == "function", nil
	}
	one.Function.Arguments = string(said.Function.Arguments)
	return one, false, nil
}

// object returns arguments as a JSON object, which templates need: a call without any has "" or
// nothing, and a model may have written what is no JSON.
func object(arguments string) string {
	trimmed := strings.TrimSpace(arguments)
	if trimmed == "" || trimmed == "null" {
		return "{}"
	}
	var fields map[string]any
	if json.Unmarshal([]byte(trimmed), &fields) == nil {
		if strings.Contains(strings.ToLower(trimmed), `\ud`) {
			// Half of a character: llama.cpp's parser refuses what Go's replaces.
			whole, _ := json.Marshal(fields)
			return string(whole)
		}
		return arguments
	}
	wrapped, _ := json.Marshal(map[string]string{"arguments": arguments}) // strings can always be encoded
	return string(wrapped)
}

// encode returns the message in JSON.
func (m message) encode() []byte {
	if m.raw != nil {
		return m.raw
	}
	out := chat.Message{Role: m.role, Content: &m.text, ToolCalls: m.calls}
	if m.role == chat.Tool {
		out.ToolCallID = m.callID
	}
	body, _ := json.Marshal(out) // strings can always be encoded
	return body
}

// parts returns what message number i says.
func (m message) parts(i int) []prompt.Part {
	parts := []prompt.Part{{Place: prompt.Place{Message: i, Role: m.role, Field: "content"}, Text: m.text}}
	for _, call := range m.calls {
		parts = append(parts, prompt.Part{
			Place: prompt.Place{Message: i, Role: m.role, Field: "tool_calls"}, Text: call.Function.Name + call.Function.Arguments,
		})
	}
	return parts
}

// empty reports whether a message says nothing.
func (m message) empty() bool { return strings.TrimSpace(m.text) == "" && len(m.calls) == 0 }

// answers reports whether a message is the result of one of the calls.
func (m message) answers(calls []chat.ToolCall) bool {
	return m.role == chat.Tool && slices.ContainsFunc(calls, func(c chat.ToolCall) bool { return c.ID == m.callID })
}
