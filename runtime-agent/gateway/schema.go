package gateway

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/beginning"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/failure"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/prompt"
)

// canonicalTools returns the tools, written always in the same way. It leaves out what the engine
// cannot make a grammar of: it would refuse the whole request, and with it all that its client says.
// Patterns are the one thing of that kind that tools are known to have: llama.cpp b10361 fails for
// "^https?://", "^\\S+$" and others. The model does without the hint.
func (o object) canonicalTools() ([]beginning.Tool, *failure.Error) {
	raw, found := o["tools"]
	if !found {
		return nil, nil
	}
	// A number of 64 bits has no room in a float.
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var tools []any
	if err := decoder.Decode(&tools); err != nil {
		return nil, failure.Invalid("tools", "tools is wrong: %v.", err)
	}
	canonical := make([]beginning.Tool, len(tools))
	for i, tool := range tools {
		if one, _ := tool.(map[string]any); one != nil && one["type"] == "custom" {
			return nil, failure.Invalid(fmt.Sprintf("tools[%d].type", i), "tools[%d] is of the type custom. Chats have functions only.", i)
		}
		text, _ := json.Marshal(withoutPatterns(tool)) // it was decoded from JSON
		canonical[i] = beginning.Tool{Name: toolName(text), JSON: text}
	}
	return canonical, nil
}

func (o object) setTools(tools []beginning.Tool) {
	if len(tools) == 0 {
		return
	}
	texts := make([]json.RawMessage, len(tools))
	for i, tool := range tools {
		texts[i] = tool.JSON
	}
	o.set("tools", texts)
}

// toolParts returns what the prompt says of tools.
func toolParts(tools []beginning.Tool) []prompt.Part {
	parts := make([]prompt.Part, len(tools))
	for i, tool := range tools {
		parts[i] = prompt.Part{Place: prompt.Place{Field: fmt.Sprintf("tools[%d]", i)}, Text: string(tool.JSON)}
	}
	return parts
}

// values are the keywords of a JSON schema whose values are data.
var values = map[string]bool{"const": true, "default": true, "enum": true, "examples": true}

// withoutPatterns returns a schema without the keyword "pattern", the value of which is a string; a
// property of that name has an object.
func withoutPatterns(schema any) any {
	switch schema := schema.(type) {
	case []any:
		for i := range schema {
			schema[i] = withoutPatterns(schema[i])
		}
	case map[string]any:
		if _, isText := schema["pattern"].(string); isText {
			delete(schema, "pattern")
		}
		for name, value := range schema {
			if !values[name] {
				schema[name] = withoutPatterns(value)
			}
		}
	}
	return schema
}
