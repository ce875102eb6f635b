package gateway

import (
	"encoding/json"
	"fmt"

	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/failure"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/prompt"
)

// canonicalTools writes the tools always in the same way, and returns what the prompt says of them. It
// leaves out what the engine cannot make a grammar of: it would refuse the whole request, and with it
// all that its client says. Patterns are the one thing of that kind that tools are known to have:
// llama.cpp b10361 fails for "^https?://", "^\\S+$" and others. The model does without the hint.
func (o object) canonicalTools() ([]prompt.Part, *failure.Error) {
	var tools []any
	if failed := o.decode("tools", &tools); failed != nil || len(tools) == 0 {
		return nil, failed
	}
	parts := make([]prompt.Part, len(tools))
	for i, tool := range tools {
		if one, _ := tool.(map[string]any); one != nil && one["type"] == "custom" {
			return nil, failure.Invalid(fmt.Sprintf("tools[%d].type", i), "tools[%d] is of the type custom. Chats have functions only.", i)
		}
		tools[i] = withoutPatterns(tool)
		text, _ := json.Marshal(tools[i]) // it was decoded from JSON
		parts[i] = prompt.Part{Place: prompt.Place{Field: fmt.Sprintf("tools[%d]", i)}, Text: string(text)}
	}
	o.set("tools", tools)
	return parts, nil
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
