package localaitest

import (
	"encoding/json"
	"strings"
)

// namedJSON returns the name in the first complete JSON object of a text that has a "name", ""
// if there is none. LocalAI's own parser takes such an object in a streamed answer for the call
// of a tool.
func namedJSON(text string) string {
	for i := range len(text) {
		if text[i] != '{' {
			continue
		}
		var object struct {
			Name string `json:"name"`
		}
		if json.NewDecoder(strings.NewReader(text[i:])).Decode(&object) == nil && object.Name != "" {
			return object.Name
		}
	}
	return ""
}

// inventedCall is the event for a call that LocalAI found in the text.
func inventedCall(id, name string) choice {
	call := map[string]any{
		"index": 0, "id": id, "type": "function",
		"function": map[string]string{"name": name, "arguments": "{}"},
	}
	return choice{Delta: map[string]any{"role": "assistant", "content": nil, "tool_calls": []any{call}}}
}
