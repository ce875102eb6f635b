package localaitest

import (
	"bytes"
	"encoding/json"
	"strings"
)

// begin is what every prompt of a chat begins with. The recorded model, which has one token for
// each byte, counts two more than its template writes.
const begin = "\x01\x01"

func renderDevstral(messages []message, tools []tool) string {
	var p strings.Builder
	p.WriteString(begin)
	rest := afterSystem(messages)
	for _, m := range messages[:len(messages)-len(rest)] {
		p.WriteString("[SYSTEM_PROMPT]" + m.text() + "[/SYSTEM_PROMPT]")
	}
	if len(tools) > 0 {
		p.WriteString("[AVAILABLE_TOOLS]" + toJSON(tools) + "[/AVAILABLE_TOOLS]")
	}
	for _, m := range rest {
		switch m.Role {
		case "system":
			p.WriteString("[SYSTEM_PROMPT]" + m.text() + "[/SYSTEM_PROMPT]")
		case "user":
			p.WriteString("[INST]" + m.text() + "[/INST]")
		case "assistant":
			p.WriteString(m.text() + calls(m, callDevstral) + "</s>")
		case "tool":
			p.WriteString("[TOOL_RESULTS]" + m.text() + "[/TOOL_RESULTS]")
		}
	}
	return p.String()
}

func callDevstral(c toolCall) string {
	return "[TOOL_CALLS]" + c.Function.Name + "[ARGS]" + spaced(c.Function.Arguments)
}

// renderNemo puts the tools and the system prompt into the last user message, so that what two
// turns of a conversation share ends early.
func renderNemo(messages []message, tools []tool) string {
	var p strings.Builder
	p.WriteString(begin)
	rest := afterSystem(messages)
	last := lastUser(rest)
	for i, m := range rest {
		switch {
		case m.Role == "user":
			if i == last && len(tools) > 0 {
				p.WriteString("[AVAILABLE_TOOLS]" + toJSON(tools) + "[/AVAILABLE_TOOLS]")
			}
			p.WriteString("[INST]")
			if i == len(rest)-1 && len(rest) < len(messages) {
				p.WriteString(messages[0].text() + "\n\n")
			}
			p.WriteString(m.text() + "[/INST]")
		case len(m.ToolCalls) > 0:
			p.WriteString(calls(m, callNemo) + "</s>")
		case m.Role == "assistant":
			p.WriteString(m.text() + "</s>")
		default:
			p.WriteString(`[TOOL_RESULTS]{"content": ` + m.text() + `, "call_id": "` + m.ToolCallID + `"}[/TOOL_RESULTS]`)
		}
	}
	return p.String()
}

func callNemo(c toolCall) string {
	return `[TOOL_CALLS][{"name": "` + c.Function.Name + `", "arguments": ` + spaced(c.Function.Arguments) + `, "id": "` + c.ID + `"}]`
}

func renderGemma(messages []message, _ []tool) string {
	var p strings.Builder
	p.WriteString(begin)
	rest := afterSystem(messages)
	for i, m := range rest {
		role := m.Role
		if role == "assistant" {
			role = "model"
		}
		p.WriteString("<start_of_turn>" + role + "\n")
		if i == 0 && len(rest) < len(messages) {
			p.WriteString(messages[0].text() + "\n\n")
		}
		p.WriteString(strings.TrimSpace(m.text()) + "<end_of_turn>\n")
	}
	return p.String() + "<start_of_turn>model\n"
}

func renderChatML(messages []message, tools []tool) string {
	var p strings.Builder
	p.WriteString(begin)
	rest := messages
	if len(tools) > 0 {
		rest = afterSystem(messages)
		p.WriteString("<|im_start|>system\n")
		if len(rest) < len(messages) {
			p.WriteString(messages[0].text() + "\n\n")
		}
		p.WriteString("<tools>\n" + toJSON(tools) + "\n</tools><|im_end|>\n")
	}
	for _, m := range rest {
		if m.Role == "tool" {
			p.WriteString("<|im_start|>user\n<tool_response>\n" + m.text() + "\n</tool_response><|im_end|>\n")
			continue
		}
		p.WriteString("<|im_start|>" + m.Role + "\n" + m.text() + calls(m, callChatML) + "<|im_end|>\n")
	}
	return p.String() + "<|im_start|>assistant\n"
}

func callChatML(c toolCall) string {
	return `<tool_call>` + "\n" + `{"name": "` + c.Function.Name + `", "arguments": ` + spaced(c.Function.Arguments) + "}\n</tool_call>"
}

// calls returns the tool calls of a message.
func calls(m message, call func(toolCall) string) string {
	var text strings.Builder
	for _, c := range m.ToolCalls {
		text.WriteString(call(c))
	}
	return text.String()
}

// toJSON is Jinja's filter of that name. It gets the fields of a tool that llama.cpp knows.
func toJSON(tools []tool) string {
	type known struct {
		Name        string         `json:"name"`
		Description string         `json:"description"`
		Parameters  map[string]any `json:"parameters"`
	}
	type function struct {
		Type     string `json:"type"`
		Function known  `json:"function"`
	}
	functions := make([]function, len(tools))
	for i, t := range tools {
		functions[i] = function{t.Type, known{t.Function.Name, t.Function.Description, t.Function.Parameters}}
	}
	return spaced(compactJSON(functions))
}

// compactJSON returns JSON as llama.cpp writes it, without escapes for HTML.
func compactJSON(value any) string {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(value) // what came from JSON can be encoded
	return strings.TrimSpace(text.String())
}

// spaced returns JSON with a blank after each comma and colon, as Jinja writes it.
func spaced(compact string) string {
	var flat bytes.Buffer
	if json.Compact(&flat, []byte(compact)) != nil {
		return compact
	}
	var p strings.Builder
	quoted, escaped := false, false
	for _, b := range flat.Bytes() {
		p.WriteByte(b)
		switch {
		case escaped:
			escaped = false
		case quoted && b == '\\':
			escaped = true
		case b == '"':
			quoted = !quoted
		case !quoted && (b == ',' || b == ':'):
			p.WriteByte(' ')
		}
	}
	return p.String()
}

// lastUser returns the index of the last message of the user, -1 if there is none.
func lastUser(messages []message) int {
	for i := len(messages) - 1; i >= 0; i-- {
		if messages[i].Role == "user" {
			return i
		}
	}
	return -1
}
