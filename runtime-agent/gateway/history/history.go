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
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/prompt"
)

const (
	// partEnd is between two parts of a content: LocalAI joins them so.
	partEnd = ""
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
	// Parts are all that was said, First is what the user said first, as it was sent.
	Parts []prompt.Part
	First string
}

// Divide returns what stays of the system prompt of a conversation, which goes by what the user says
// first, and what moves to the beginning of that.
type Divide func(first, system string) (stays, moves string)

// Whole moves nothing.
func Whole(_, system string) (stays, moves string) { return system, "" }

// Normalize makes a history acceptable. Messages are changed only where the rules say so, and
// always in the same way, so that the prompt of the next turn begins as that of this one did.
func (r Rules) Normalize(raw []json.RawMessage, divide Divide) (History, *failure.Error) {
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
	out := History{First: divided(all, divide)}
	out.Changed = len(all) != len(raw)
	for i, m := range all {
		out.Changed = out.Changed || m.raw == nil || &m.raw[0] != &raw[i][0]
		out.Messages = append(out.Messages, m.encode())
		out.Parts = append(out.Parts, m.parts(i)...)
	}
	return out, nil
}

// divided divides the system prompt, and returns what the user says first.
func divided(all []message, divide Divide) (first string) {
	i := slices.IndexFunc(all, func(m message) bool { return m.role == chat.User })
	if i < 0 {
		return ""
	}
	first = all[i].text
	if all[0].role != chat.System {
		return first
	}
	stays, moves := divide(first, all[0].text)
	if moves != "" && stays != "" {
		all[0].text, all[0].raw = stays, nil
		all[i].text, all[i].raw = moves+messageEnd+first, nil
	}
	return first
}

// apply follows the rules, each of which leaves alone what the others want.
func (r Rules) apply(all []message) []message {
	all = identified(each(all, developerIsSystem))
	all = endsOnce(all)
	if r.NoThoughts {
		all = each(all, withoutThoughts)
	}
	if r.NoTools {
		all = each(all, withoutTools)
	}
	if r.SystemFirst {
		all = systemFirst(all)
	}
	if r.CallFirst {
		all = callsFirst(all)
	}
	if r.Alternate {
		all = takeTurns(joined(spoken(all)))
	}
	if r.OneCall {
		all = oneCall(all)
	}
	if r.User && !slices.ContainsFunc(all, func(m message) bool { return m.role == chat.User }) {
		all = append(all, message{role: chat.User, text: goOn})
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

// developerIsSystem renames a role that llama.cpp renames for all templates but one (gpt-oss, for
// which it is the same).
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

// endsOnce makes one message of several of the assistant at the end, which llama.cpp refuses whatever
// the template is.
func endsOnce(all []message) []message {
	end := len(all)
	for end > 0 && all[end-1].role == chat.Assistant {
		end--
	}
	return append(all[:end:end], joined(all[end:])...)
}

func withoutThoughts(m message) message {
	if !m.thoughts {
		return m
	}
	return m.as(m.role)
}

// identified gives an id to each call that has none, and to each result that has none that of the
// next call.
func identified(all []message) []message {
	var open []string
	for i := range all {
		m := &all[i]
		for j := range m.calls {
			if m.calls[j].ID == "" {
				m.calls[j].ID, m.raw = fmt.Sprintf("call_%d_%d", i, j), nil
			}
		}
		switch {
		case len(m.calls) > 0:
			open = nil
			for _, call := range m.calls {
				open = append(open, call.ID)
			}
		case m.role == chat.Tool && len(open) > 0:
			if m.callID == "" {
				m.callID, m.raw = open[0], nil
			}
			open = slices.DeleteFunc(open, func(id string) bool { return id == m.callID })
		}
	}
	return all
}

// withoutTools writes calls and results as text.
func withoutTools(m message) message {
	switch {
	case m.role == chat.Tool:
		return asText(m)
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

// asText writes the result of a tool as the user would.
func asText(m message) message {
	m.text = "Result of a tool call:\n" + m.text
	return m.as(chat.User)
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

// takeTurns has the user begin, and user and assistant take turns: neighbours are joined already,
// so what is missing is what the assistant said to results, and what the user said first.
func takeTurns(all []message) []message {
	var out []message
	for i, m := range all {
		begins := i == 0 || all[i-1].role == chat.System
		switch {
		case m.role == chat.Assistant && begins:
			out = append(out, message{role: chat.User, text: goOn})
		case m.role == chat.User && !begins && (all[i-1].role == chat.Tool || len(all[i-1].calls) > 0):
			out = append(out, message{role: chat.Assistant, text: noted})
		}
		out = append(out, m)
	}
	return out
}

// callsFirst puts results right behind their calls. One whose call is not there becomes text of the
// user.
func callsFirst(all []message) []message {
	var out []message
	taken := make([]bool, len(all))
	for i, m := range all {
		if taken[i] {
			continue
		}
		if m.role == chat.Tool {
			m = asText(m)
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

// spoken leaves out what says nothing.
func spoken(all []message) []message {
	return slices.DeleteFunc(all, func(m message) bool { return m.role != chat.Tool && m.empty() })
}

// oneCall gives each call a message of its own, with its result behind it.
func oneCall(all []message) []message {
	var out []message
	for i := 0; i < len(all); i++ {
		m := all[i]
		if len(m.calls) < 2 {
			out = append(out, m)
			continue
		}
		results := i + 1
		for results < len(all) && all[results].role == chat.Tool {
			results++
		}
		open := slices.Clone(all[i+1 : results])
		for j, call := range m.calls {
			one := message{role: m.role, calls: []chat.ToolCall{call}}
			if j == 0 {
				one.text = m.text
			}
			out = append(out, one)
			var result []message
			result, open = takeResult(open, call.ID)
			out = append(out, result...)
		}
		out = append(out, each(open, asText)...)
		i = results - 1
	}
	return out
}

// takeResult takes the first result of a call out of those that are open.
func takeResult(open []message, id string) (result, rest []message) {
	at := slices.IndexFunc(open, func(m message) bool { return m.callID == id })
	if at < 0 {
		return nil, open
	}
	return open[at : at+1 : at+1], slices.Concat(open[:at], open[at+1:])
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
