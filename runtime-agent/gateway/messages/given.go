package messages

import (
	"strings"

	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/chat"
)

// given is how an answer begins according to its request, which ends in the first words of the
// assistant. Anthropic's API answers with what follows; LocalAI v4.9.0 with the whole.
type given struct {
	// rest is what the engine has not repeated yet, seen what it has.
	rest, seen string
}

// lastWords returns what the assistant is given to begin with, "" if the user spoke last.
func lastWords(messages []chat.Message) string {
	if len(messages) == 0 {
		return ""
	}
	last := messages[len(messages)-1]
	if last.Role != chat.Assistant || last.Content == nil || len(last.ToolCalls) > 0 {
		return ""
	}
	return *last.Content
}

// leaveOut returns the part of a text that was not given. Where the engine says something else than
// it was given, nothing is left out.
func (g *given) leaveOut(text string) string {
	switch {
	case g.rest == "":
		return text
	case strings.HasPrefix(text, g.rest):
		text = text[len(g.rest):]
		*g = given{}
		return text
	case strings.HasPrefix(g.rest, text):
		g.rest, g.seen = g.rest[len(text):], g.seen+text
		return ""
	}
	text = g.seen + text
	*g = given{}
	return text
}
