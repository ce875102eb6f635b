package localaitest

import (
	"fmt"
	"slices"
	"strings"
)

// Template is a chat template: its rules about histories, and the prompt it makes of them.
type Template int

// The templates, one for each family of rules. Their texts are those of the files that llama.cpp
// has in models/templates (b10361), and for Gemma 3 that of google/gemma-3-12b-it.
const (
	// Devstral is the template of Devstral Small 2 and Ministral 3: user and assistant take
	// turns, and system is the role of the first message alone.
	Devstral Template = iota
	// Relaxed is that template without these two rules, as the appliance has it.
	Relaxed
	// MistralNemo wants turns too, and ids of nine characters for tool calls.
	MistralNemo
	// Gemma2 wants turns, has neither tools nor a role for the system; llama.cpp puts the text of
	// a first system message before that of the next one.
	Gemma2
	// Gemma3 is the same with a system message of its own at the start.
	Gemma3
	// ChatML takes every history; Qwen 2.5 has it.
	ChatML
	// Qwen35 wants a user message, and system messages at the start only.
	Qwen35
)

// TemplateOf returns the template whose rules a Jinja text has. One without known rules takes
// every history.
func TemplateOf(jinja string) Template {
	for _, sign := range []struct {
		words    string
		template Template
	}{
		{"Tool call IDs should be alphanumeric", MistralNemo},
		{"roles must alternate user and assistant roles except", Devstral},
		{"System role not supported", Gemma2},
		{"<start_of_turn>", Gemma3},
		{"No user query found", Qwen35},
		{"<|im_start|>", ChatML},
	} {
		if strings.Contains(jinja, sign.words) {
			return sign.template
		}
	}
	return Relaxed
}

// rules are what llama.cpp makes of a template.
type rules struct {
	// refuse returns what the template raises for a history, "" if it renders it.
	refuse func([]message) string
	// render returns the prompt.
	render func([]message, []tool) string
	// call returns how the model writes the call of a tool; nil means that it has no tools.
	call func(toolCall) string
	// objects means that the template wants objects as arguments of tool calls.
	objects bool
	// systemless means that the first system message becomes a part of the next one.
	systemless bool
	// derived means that llama.cpp has no parser for the answers of this template, and derives
	// one; an error of the template then comes as one of that.
	derived bool
}

var templates = map[Template]rules{
	Devstral:    {refuse: refuseDevstral, render: renderDevstral, call: callDevstral},
	Relaxed:     {refuse: refuseRelaxed, render: renderDevstral, call: callDevstral},
	MistralNemo: {refuse: refuseNemo, render: renderNemo, call: callNemo, derived: true},
	Gemma2:      {refuse: refuseGemma2, render: renderGemma, systemless: true, derived: true},
	Gemma3:      {refuse: refuseGemma3, render: renderGemma, derived: true},
	ChatML:      {refuse: refuseNothing, render: renderChatML, call: callChatML, derived: true},
	Qwen35:      {refuse: refuseQwen35, render: renderChatML, call: callChatML, objects: true},
}

func refuseNothing([]message) string { return "" }

// refuseDevstral looks at the turns of all messages first, as the template does.
func refuseDevstral(messages []message) string {
	rest := afterSystem(messages)
	turns := func(m message) bool { return m.Role == "user" || m.Role == "assistant" && len(m.ToolCalls) == 0 }
	if !alternate(rest, turns) {
		return "After the optional system message, conversation roles must alternate user and assistant roles except for tool calls and results."
	}
	return unsupportedRole(rest, "user", "assistant", "tool")
}

func refuseRelaxed(messages []message) string {
	return unsupportedRole(messages, "system", "user", "assistant", "tool")
}

func refuseNemo(messages []message) string {
	rest := afterSystem(messages)
	turns := func(m message) bool { return m.Role != "tool" && m.Role != "tool_results" && len(m.ToolCalls) == 0 }
	if !alternate(rest, turns) {
		return "After the optional system message, conversation roles must alternate user/assistant/user/assistant/..."
	}
	for _, m := range rest {
		switch {
		case m.Role == "user":
		case len(m.ToolCalls) > 0:
			if slices.ContainsFunc(m.ToolCalls, func(c toolCall) bool { return len(c.ID) != 9 }) {
				return wrongToolCallID
			}
		case m.Role == "assistant":
		case m.Role == "tool" || m.Role == "tool_results":
			if len(m.ToolCallID) != 9 {
				return wrongToolCallID
			}
		default:
			return "Only user and assistant roles are supported, with the exception of an initial optional system message!"
		}
	}
	return ""
}

const wrongToolCallID = "Tool call IDs should be alphanumeric strings with length 9!"

func refuseGemma2(messages []message) string {
	if len(messages) > 0 && messages[0].Role == "system" {
		return "System role not supported"
	}
	return refuseGemma3(messages)
}

func refuseGemma3(messages []message) string {
	if !alternate(afterSystem(messages), func(message) bool { return true }) {
		return "Conversation roles must alternate user/assistant/user/assistant/..."
	}
	return ""
}

func refuseQwen35(messages []message) string {
	query := func(m message) bool {
		text := strings.TrimSpace(m.text())
		return m.Role == "user" && (!strings.HasPrefix(text, "<tool_response>") || !strings.HasSuffix(text, "</tool_response>"))
	}
	if len(messages) == 0 {
		return "No messages provided."
	}
	if !slices.ContainsFunc(messages, query) {
		return "No user query found in messages."
	}
	for i, m := range messages {
		switch {
		case m.Role == "system" && i > 0:
			return "System message must be at the beginning."
		case !slices.Contains([]string{"system", "user", "assistant", "tool"}, m.Role):
			return "Unexpected message role."
		}
	}
	return ""
}

// alternate reports whether those messages that are turns come from the user and from another in
// turn, the user first.
func alternate(messages []message, isTurn func(message) bool) bool {
	turn := 0
	for _, m := range messages {
		if !isTurn(m) {
			continue
		}
		if (m.Role == "user") != (turn%2 == 0) {
			return false
		}
		turn++
	}
	return true
}

func afterSystem(messages []message) []message {
	if len(messages) > 0 && messages[0].Role == "system" {
		return messages[1:]
	}
	return messages
}

func unsupportedRole(messages []message, supported ...string) string {
	for _, m := range messages {
		if !slices.Contains(supported, m.Role) {
			return fmt.Sprintf("Only user, assistant and tool roles are supported, got %s.", m.Role)
		}
	}
	return ""
}
