package localaitest

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
)

// Tests that need a certain answer ask for it in the last message of the user, at the start of a
// line or right after a tag, because coding agents put a prompt between such.
var (
	// sayLine comes before the text of the answer, which is the rest of the message.
	sayLine = regexp.MustCompile(`(?m)(?:^|>)Say: `)
	// callLine comes before the arguments of a tool in JSON. The first such line is answered
	// first, the second one after the results of that, and so on.
	callLine = regexp.MustCompile(`(?m)(?:^|>)Call( twice)?: (\S+) `)
)

// told returns the text that the user asks for.
func (r completionRequest) told() (text string, told bool) {
	content := r.lastUserText()
	places := sayLine.FindAllStringIndex(content, -1)
	if places == nil {
		return "", false
	}
	last := places[len(places)-1]
	return content[last[1]:], true
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
	content := r.lastUserText()
	for _, place := range callLine.FindAllStringSubmatchIndex(content, -1) {
		var arguments json.RawMessage
		if json.NewDecoder(strings.NewReader(content[place[1]:])).Decode(&arguments) == nil {
			all = append(all, order{name: content[place[4]:place[5]], arguments: string(arguments), twice: place[2] >= 0})
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

// answer returns the answer that calls the tool, of length tokens at most: llama.cpp passes on
// what there is of a call that was cut.
func (o order) answer(prompt string, model Model, length int) answer {
	call := toolCall{ID: newCallID(), Type: "function", Function: functionCall{Name: o.name, Arguments: o.arguments}}
	written := templates[model.Template].call(call)
	if o.twice {
		written = `{"name": "` + o.name + `", "arguments": ` + o.arguments + `}`
	}
	tokens := slices.Collect(split(written))
	if length < len(tokens) {
		tokens = tokens[:length]
		_, call.Function.Arguments, _ = strings.Cut(strings.Join(tokens, ""), argumentsStart(written, o.arguments))
	}
	a := answer{tokens: tokens, finishReason: "tool_calls", promptTokens: model.tokenCount(prompt), calls: []toolCall{call}, twice: o.twice}
	if o.twice {
		call.Index = 1
		a.calls = append(a.calls, call)
	}
	return a
}

// argumentsStart returns what is written before the arguments.
func argumentsStart(written, arguments string) string {
	before, _, _ := strings.Cut(written, spaced(arguments))
	return before
}

// newCallID returns an id of 32 letters and digits, as long as llama.cpp's.
func newCallID() string { return strings.ReplaceAll(newID(), "-", "") }
