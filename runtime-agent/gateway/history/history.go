package history

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/chat"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/failure"
)

const (
	// partEnd is between two parts of a content, as llama.cpp joins them.
	partEnd = "\n"
	// messageEnd is between two messages that become one, as Mistral's own client joins them
	// (mistral-common, InstructRequestNormalizer).
	messageEnd = "\n\n"
	// noted is what the assistant says where it said nothing, between two messages of the user.
	noted = "OK."
	// goOn is what the user says in a history that the assistant begins.
	goOn = "Continue."
)

// History is a conversation that the model's template accepts.
type History struct {
	// Messages are in JSON.
	Messages []json.RawMessage
	// Changed is false if they are what the client sent, byte for byte.
	Changed bool
	// Text is all that was said, for counting.
	Text []string
}

// Normalize makes a history acceptable. Messages are changed only where the rules say so, and
// always in the same way, so that the prompt of the next turn begins as that of this one did.
func (r Rules) Normalize(raw []json.RawMessage) (History, *failure.Error) {
	if len(raw) == 0 {
		return History{}, failure.Invalid("messages", "messages is empty. Send at least one message.")
	}
	all := make([]message, len(raw))
	for i := range raw {
		var failed *failure.Error
		if all[i], failed = read(raw[i], i); failed != nil {
			return History{}, failed
		}
	}
	all = r.apply(all)
	var out History
	out.Changed = len(all) != len(raw)
	for i, m := range all {
		out.Changed = out.Changed || m.raw == nil || &m.raw[0] != &raw[i][0]
		out.Messages = append(out.Messages, m.encode())
		out.Text = append(out.Text, m.text)
		for _, call := range m.calls {
			out.Text = append(out.Text, call.Function.Name+call.Function.Arguments)
		}
	}
	return out, nil
}

func (r Rules) apply(all []message) []message {
	if !r.Developer {
		all = each(all, developerIsSystem)
	}
	if r.NoTools {
		all = each(all, withoutTools)
	}
	if r.SystemFirst || r.NoSystem {
		all = systemFirst(all)
	}
	if r.NoSystem {
		all = each(all, systemIsUser)
	}
	if r.Alternate || r.NoSystem {
		all = takeTurns(all)
	}
	if r.CallIDs > 0 {
		all = each(all, r.shortIDs)
	}
	return all
}

func each(all []message, change func(message) message) []message {
	for i := range all {
		all[i] = change(all[i])
	}
	return all
}

func (m message) as(role string) message {
	m.role, m.raw = role, nil
	return m
}

func developerIsSystem(m message) message {
	if m.role != chat.Developer {
		return m
	}
	return m.as(chat.System)
}

func systemIsUser(m message) message {
	if m.role != chat.System {
		return m
	}
	return m.as(chat.User)
}

// withoutTools writes calls and results as text.
func withoutTools(m message) message {
	switch {
	case m.role == chat.Tool:
		m.text = "Result of the tool call:\n" + m.text
		return m.as(chat.User)
	case len(m.calls) > 0:
		lines := []string{m.text}
		for _, call := range m.calls {
			lines = append(lines, fmt.Sprintf("I call the tool %s with %s.", call.Function.Name, call.Function.Arguments))
		}
		m.text = strings.TrimPrefix(strings.Join(lines, "\n"), "\n")
		m.calls = nil
		return m.as(chat.Assistant)
	}
	return m
}

// systemFirst makes one message of the system messages at the beginning; later ones become the
// user's, at their place.
func systemFirst(all []message) []message {
	begin := 0
	for begin < len(all) && all[begin].role == chat.System {
		begin++
	}
	first := joined(all[:begin])
	return append(first, each(all[begin:], systemIsUser)...)
}

// takeTurns has the user begin, and user and assistant take turns. Results stand right behind
// their calls; those of a call that is not there become text of the user.
func takeTurns(all []message) []message {
	var out []message
	for _, m := range joined(sorted(all)) {
		previous := chat.User
		if len(out) > 0 {
			previous = out[len(out)-1].role
		}
		switch {
		case m.role == chat.Assistant && (len(out) == 0 || previous == chat.System):
			out = append(out, message{role: chat.User, text: goOn})
		case m.role == chat.User && (previous == chat.Tool || len(out) > 0 && len(out[len(out)-1].calls) > 0):
			out = append(out, message{role: chat.Assistant, text: noted})
		}
		out = append(out, m)
	}
	if !slices.ContainsFunc(out, func(m message) bool { return m.role == chat.User }) {
		out = append(out, message{role: chat.User, text: goOn})
	}
	return out
}

// sorted leaves out what says nothing, and puts results behind their calls.
func sorted(all []message) []message {
	var out []message
	taken := make([]bool, len(all))
	for i, m := range all {
		switch {
		case taken[i] || m.role != chat.Tool && m.empty():
			continue
		case m.role == chat.Tool:
			m.text = "Result of a tool call:\n" + m.text
			m = m.as(chat.User)
		}
		out = append(out, m)
		// Ids may come again: some clients number the calls of each turn alike.
		for j := i + 1; j < len(all) && len(m.calls) > 0 && len(all[j].calls) == 0; j++ {
			if !taken[j] && all[j].answers(m.calls) {
				taken[j] = true
				out = append(out, all[j])
			}
		}
	}
	return out
}

// joined makes one message of neighbours of one role. Results stay apart: each has a call.
func joined(all []message) []message {
	var out []message
	for _, m := range all {
		if len(out) == 0 || m.role == chat.Tool || out[len(out)-1].role != m.role {
			out = append(out, m)
			continue
		}
		last := &out[len(out)-1]
		if last.text != "" && m.text != "" {
			last.text += messageEnd
		}
		last.text += m.text
		last.calls = append(last.calls[:len(last.calls):len(last.calls)], m.calls...)
		last.raw = nil
	}
	return out
}

// shortIDs replaces the ids of calls by ones of the length that the template wants. The same id
// becomes the same each time, in a call and in its result; answers carry ids of the engine's own.
func (r Rules) shortIDs(m message) message {
	if m.role == chat.Tool && !r.fits(m.callID) {
		m.callID = r.short(m.callID)
		m.raw = nil
	}
	if !slices.ContainsFunc(m.calls, func(c chat.ToolCall) bool { return !r.fits(c.ID) }) {
		return m
	}
	m.calls = slices.Clone(m.calls)
	for i := range m.calls {
		if !r.fits(m.calls[i].ID) {
			m.calls[i].ID = r.short(m.calls[i].ID)
		}
	}
	m.raw = nil
	return m
}

func (r Rules) fits(id string) bool {
	return len(id) == r.CallIDs && !strings.ContainsFunc(id, func(c rune) bool {
		return (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z')
	})
}

func (r Rules) short(id string) string {
	sum := sha256.Sum256([]byte(id))
	return base32.StdEncoding.EncodeToString(sum[:])[:r.CallIDs]
}
