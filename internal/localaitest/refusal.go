package localaitest

import "fmt"

// refusal returns what the chat template of Devstral Small 2 raises for a history, "" if it
// accepts it. First it looks at the turns of all messages, then it renders one after the other.
// The template sees a developer message as one of the system: llama.cpp renames the role.
func refusal(messages []message) string {
	if len(messages) > 0 && messages[0].fromSystem() {
		messages = messages[1:]
	}
	turn := 0
	for _, m := range messages {
		if m.Role != "user" && (m.Role != "assistant" || len(m.ToolCalls) > 0) {
			continue
		}
		if (m.Role == "user") != (turn%2 == 0) {
			return "After the optional system message, conversation roles must alternate user and assistant roles except for tool calls and results."
		}
		turn++
	}
	for _, m := range messages {
		switch {
		case m.fromSystem():
			return unsupportedRole("system")
		case m.Role != "user" && m.Role != "assistant" && m.Role != "tool":
			return unsupportedRole(m.Role)
		}
	}
	return ""
}

func (m message) fromSystem() bool { return m.Role == "system" || m.Role == "developer" }

func unsupportedRole(role string) string {
	return fmt.Sprintf("Only user, assistant and tool roles are supported, got %s.", role)
}

// templateError returns what llama.cpp says when a template raises an exception. The real one
// tells line and column, and quotes the template.
func templateError(raised string) string {
	return "\n------------\nWhile executing CallExpression at line 1, column 1 in source:\n...\nError: Jinja Exception: " + raised
}
