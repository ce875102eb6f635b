package localaitest

import (
	"encoding/json"
	"strings"
)

// callInText returns the call that LocalAI's own parser finds in a streamed answer: the first
// complete JSON object of the text that has a "name" (core/http/endpoints/openai,
// emitJSONToolCallDeltas).
func callInText(text string) (call functionCall, found bool) {
	for i := range len(text) {
		if text[i] != '{' {
			continue
		}
		var object struct {
			Name      string          `json:"name"`
			Arguments json.RawMessage `json:"arguments"`
		}
		if json.NewDecoder(strings.NewReader(text[i:])).Decode(&object) == nil && object.Name != "" {
			return functionCall{Name: object.Name, Arguments: arguments(object.Arguments)}, true
		}
	}
	return functionCall{}, false
}

func arguments(value json.RawMessage) string {
	var text string
	switch {
	case value == nil:
		return "{}"
	case json.Unmarshal(value, &text) == nil:
		return text
	}
	return string(value)
}

// inventedCall is the event for a call that LocalAI found in the text.
func inventedCall(id string, call functionCall) choice {
	return choice{Delta: &chatMessage{Role: "assistant", ToolCalls: []toolCall{{ID: id, Type: "function", Function: call}}}}
}
