package gateway

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/chat"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/failure"
)

// checkUnsupported refuses what LocalAI v4.9.0 would pass over without a word.
func (o object) checkUnsupported() *failure.Error {
	var asked struct {
		n        int
		logprobs bool
		old      []json.RawMessage
	}
	for field, value := range map[string]any{"n": &asked.n, "logprobs": &asked.logprobs, "functions": &asked.old} {
		if failed := o.decode(field, value); failed != nil {
			return failed
		}
	}
	switch {
	case asked.n > 1:
		return failure.Invalid("n", "n is %d. This appliance gives one answer to a request.", asked.n)
	case asked.logprobs:
		return failure.Invalid("logprobs", "logprobs is true. This appliance does not tell probabilities.")
	case len(asked.old) > 0:
		return failure.Invalid("functions", "functions is obsolete. Send tools in its place.")
	}
	return nil
}

// limitAnswer puts the limit of an answer under the one name that LocalAI knows. 0 is no limit to it.
func (o object) limitAnswer() *failure.Error {
	var limit, newer *int
	if failed := o.decode("max_tokens", &limit); failed != nil {
		return failed
	}
	if failed := o.decode("max_completion_tokens", &newer); failed != nil {
		return failed
	}
	delete(o, "max_completion_tokens")
	if newer != nil {
		limit = newer
	}
	delete(o, "max_tokens")
	if limit != nil {
		o.set("max_tokens", max(*limit, 1))
	}
	return nil
}

// choice is what a client wants called: a string, one function, or some of the tools.
type choice struct {
	Type     string `json:"type"`
	Function struct {
		Name string `json:"name"`
	} `json:"function"`
	AllowedTools struct {
		Mode  string         `json:"mode"`
		Tools []chat.ToolDef `json:"tools"`
	} `json:"allowed_tools"`
}

// chooseTool puts a choice in terms that LocalAI v4.9.0 understands: every object is "required" to
// it, so the functions that are meant must be the only ones.
func (o object) chooseTool() *failure.Error {
	raw := o["tool_choice"]
	if len(raw) == 0 || raw[0] != '{' {
		return nil
	}
	var asked choice
	if failed := o.decode("tool_choice", &asked); failed != nil {
		return failed
	}
	mode, names := "required", []string{asked.Function.Name}
	if asked.Type == "allowed_tools" {
		mode, names = asked.AllowedTools.Mode, nil
		for _, tool := range asked.AllowedTools.Tools {
			names = append(names, tool.Function.Name)
		}
	}
	o.set("tool_choice", mode)
	return o.keepTools(names)
}

// sortTools does what chat.SortTools does, and keeps the fields that it does not know.
func (o object) sortTools() *failure.Error {
	var tools []json.RawMessage
	if failed := o.decode("tools", &tools); failed != nil || len(tools) == 0 {
		return failed
	}
	type named struct {
		name string
		tool json.RawMessage
	}
	all := make([]named, len(tools))
	for i, tool := range tools {
		all[i] = named{toolName(tool), tool}
	}
	slices.SortStableFunc(all, func(a, b named) int { return strings.Compare(a.name, b.name) })
	for i := range all {
		tools[i] = all[i].tool
	}
	o.set("tools", tools)
	return nil
}

func toolName(raw json.RawMessage) string {
	var one chat.ToolDef
	_ = json.Unmarshal(raw, &one) // whoever needs a tool says what is wrong with it
	return one.Function.Name
}

// keepTools leaves out the tools that are not named.
func (o object) keepTools(names []string) *failure.Error {
	var tools, kept []json.RawMessage
	if failed := o.decode("tools", &tools); failed != nil {
		return failed
	}
	found := map[string]bool{}
	for _, tool := range tools {
		if name := toolName(tool); slices.Contains(names, name) {
			kept = append(kept, tool)
			found[name] = true
		}
	}
	for _, name := range names {
		if !found[name] {
			return failure.Invalid("tool_choice", "tool_choice names %q, which is not one of the tools.", name)
		}
	}
	o.set("tools", kept)
	return nil
}
