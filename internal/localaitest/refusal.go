package localaitest

import "fmt"

// refusal returns what the chat template of Devstral Small 2 raises for a history, "" if it
// accepts it. First it looks at the turns of all messages, then it renders one after the other.
func refusal(messages []message) string {
	if len(messages) > 0 && messages[0].Role == "system" {
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
		switch m.Role {
		case "user", "assistant", "tool":
		default:
			return fmt.Sprintf("Only user, assistant and tool roles are supported, got %s.", m.Role)
		}
	}
	return ""
}

// templateError returns what llama.cpp says when a template raises an exception.
func templateError(raised string) string { return "Jinja Exception: " + raised }
