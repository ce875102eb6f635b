package engine

import (
	"bytes"
	"cmp"
	"encoding/json"
	"slices"
	"strings"

	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/chat"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/sse"
)

// call is a tool call as its parts add up.
type call struct {
	index               int
	id, name, arguments string
}

// onceEach removes the calls that are delivered a second time, and numbers the others anew.
func (s *Stream) onceEach(events []Event) []Event {
	found := collect(events)
	kept := map[int]int{} // by the number that the engine gave
	for i, one := range found {
		if !slices.ContainsFunc(found[:i], one.repeats) {
			kept[one.index] = len(kept)
		}
	}
	if len(kept) == len(found) {
		return events
	}
	var once []Event
	for _, event := range events {
		if calls(event) && !renumber(&event, kept) {
			continue
		}
		once = append(once, event)
	}
	return once
}

// collect adds up the parts of each call.
func collect(events []Event) []call {
	var found []call
	for _, event := range events {
		for _, choice := range event.Chunk.Choices {
			for _, part := range choice.Delta.ToolCalls {
				i := slices.IndexFunc(found, func(c call) bool { return c.index == indexOf(part) })
				if i < 0 {
					i = len(found)
					found = append(found, call{index: indexOf(part)})
				}
				// LocalAI sends id and name with each part.
				found[i].id = cmp.Or(found[i].id, part.ID)
				found[i].name = cmp.Or(found[i].name, part.Function.Name)
				found[i].arguments += part.Function.Arguments
			}
		}
	}
	return found
}

func indexOf(part chat.ToolCall) int {
	if part.Index == nil {
		return 0
	}
	return *part.Index
}

// repeats reports whether a call is the other one once more: LocalAI gives the second the id of
// the first with a number behind it.
func (c call) repeats(other call) bool {
	return c.name == other.name && compact(c.arguments) == compact(other.arguments) && strings.HasPrefix(c.id, other.id+"-")
}

// compact returns JSON without blanks: the two may be written differently.
func compact(arguments string) string {
	var out bytes.Buffer
	if json.Compact(&out, []byte(arguments)) != nil {
		return arguments
	}
	return out.String()
}

// cut reports whether the arguments end in the middle.
func (c call) cut() bool { return c.arguments != "" && !json.Valid([]byte(c.arguments)) }

// renumber keeps the calls of an event that are to be kept, and reports whether there are any.
func renumber(event *Event, kept map[int]int) bool {
	for i := range event.Chunk.Choices {
		delta := &event.Chunk.Choices[i].Delta
		var parts []chat.ToolCall
		for _, part := range delta.ToolCalls {
			if index, keep := kept[indexOf(part)]; keep {
				part.Index = &index
				parts = append(parts, part)
			}
		}
		delta.ToolCalls = parts
	}
	event.Raw = sse.Data(event.Chunk)
	return calls(*event)
}
