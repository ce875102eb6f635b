package localaitest

import (
	"encoding/json"
	"slices"
	"strings"
)

// A line of the last message of the user that begins with one of these asks for an answer, for
// tests that need a certain one.
const (
	// sayPrefix comes before the text of the answer, which is the rest of the message.
	sayPrefix = "Say: "
	// callPrefix and callTwicePrefix come before the name of a tool and its arguments in JSON.
	// The first such line is answered first, the second one after the results of that, and so on.
	callPrefix      = "Call: "
	callTwicePrefix = "Call twice: "
)

// directive returns what comes after the last such line.
func (r completionRequest) directive(prefix string) (rest string, found bool) {
	lines := "\n" + r.lastUserText()
	at := strings.LastIndex(lines, "\n"+prefix)
	if at < 0 {
		return "", false
	}
	return lines[at+len("\n"+prefix):], true
}

// lastUserText returns the text of the last message of the user, each part on its own lines.
func (r completionRequest) lastUserText() string {
	i := lastUser(r.Messages)
	if i < 0 {
		return ""
	}
	parts, _ := r.Messages[i].Content.([]any)
	if parts == nil {
		return r.Messages[i].text()
	}
	texts := make([]string, len(parts))
	for n, part := range parts {
		texts[n] = text(part)
	}
	return strings.Join(texts, "\n")
}

// order is the call of a tool that a request asks for.
type order struct {
	name, arguments string
	twice           bool
}

// order returns the tool call that the model makes: the next one that the user asks for, or
// whichever if the request demands one. The engine does not heed which one: its backend takes an
// object as tool_choice for "required".
func (r completionRequest) order(template Template) (order, bool) {
	if len(r.Tools) == 0 || templates[template].call == nil || r.ToolChoice == "none" {
		return order{}, false
	}
	asked := r.orders()
	if made := r.callsMade(); made < len(asked) {
		return asked[made], true
	}
	_, object := r.ToolChoice.(map[string]any)
	return order{name: r.Tools[0].Function.Name, arguments: "{}"}, object || r.ToolChoice == "required"
}

func (r completionRequest) orders() []order {
	var all []order
	text := r.lastUserText()
	for line := range strings.Lines(text) {
		rest, twice := strings.CutPrefix(line, callTwicePrefix)
		if !twice {
			var called bool
			if rest, called = strings.CutPrefix(line, callPrefix); !called {
				continue
			}
		}
		name, arguments, _ := strings.Cut(strings.TrimSpace(rest), " ")
		var value json.RawMessage
		if json.NewDecoder(strings.NewReader(arguments)).Decode(&value) == nil {
			all = append(all, order{name: name, arguments: string(value), twice: twice})
		}
	}
	return all
}

// callsMade counts the answers with tool calls since the last message of the user.
func (r completionRequest) callsMade() int {
	made := 0
	for _, m := range r.Messages[lastUser(r.Messages)+1:] {
		if len(m.ToolCalls) > 0 {
			made++
		}
	}
	return made
}

// answer returns the answer that calls the tool. It is never cut.
func (o order) answer(prompt string, template Template) answer {
	call := toolCall{ID: newCallID(), Type: "function", Function: functionCall{Name: o.name, Arguments: o.arguments}}
	a := answer{finishReason: "tool_calls", promptTokens: tokenCount(prompt), calls: []toolCall{call}, twice: o.twice}
	written := templates[template].call(call)
	if o.twice {
		again := call
		again.Index = 1
		a.calls = append(a.calls, again)
		written = `{"name": "` + o.name + `", "arguments": ` + o.arguments + `}`
	}
	a.tokens = slices.Collect(split(written))
	return a
}

// newCallID returns an id of 32 letters and digits, as long as llama.cpp's.
func newCallID() string { return strings.ReplaceAll(newID(), "-", "") }
