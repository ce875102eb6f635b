// Package history makes the messages of a conversation acceptable to the model's chat template,
// which may refuse what OpenAI's API accepts and coding agents send.
package history

import (
	"regexp"
	"strings"
)

// Rules are what a chat template refuses. The zero value refuses nothing.
type Rules struct {
	// SystemFirst: a system message stands at the beginning, and nowhere else.
	SystemFirst bool `json:"system_first,omitempty"`
	// Alternate: user and assistant take turns, and the user begins.
	Alternate bool `json:"alternate,omitempty"`
	// User: there is a message of the user.
	User bool `json:"user,omitempty"`
	// CallFirst: the result of a tool comes after the call.
	CallFirst bool `json:"call_first,omitempty"`
	// OneCall: a message has one tool call at most.
	OneCall bool `json:"one_call,omitempty"`
	// CallIDs is the length that the ids of tool calls must have, 0 if any will do.
	CallIDs int `json:"call_ids,omitempty"`
	// NoTools: the template has no place for tool calls and results, and leaves them out.
	NoTools bool `json:"no_tools,omitempty"`
	// NoThoughts: what the model thought is refused, or printed in place of what it said.
	NoThoughts bool `json:"no_thoughts,omitempty"`
}

// strict is for a template that refuses something unknown: no template is known to refuse a
// history that follows all of it.
var strict = Rules{SystemFirst: true, Alternate: true, User: true, CallFirst: true, OneCall: true}

// raised finds the message of each exception that a template raises.
var raised = regexp.MustCompile(`raise_exception\(\s*(?:"([^"]*)|'([^']*))`)

// refusals are what the 65 templates that llama.cpp b10361 has in models/templates say when they
// refuse a history, and what it is about; each was tried with that llama.cpp. Nothing is to be done
// about what the gateway never sends.
var refusals = []struct {
	words string
	rules Rules
}{
	{"must alternate", Rules{Alternate: true, SystemFirst: true, User: true, CallFirst: true}}, // Mistral, Gemma 2
	{"initial optional system message", Rules{SystemFirst: true}},                              // Mistral Nemo
	{"System message must be at the beginning", Rules{SystemFirst: true}},                      // Qwen 3.5
	{"Invalid message role", Rules{SystemFirst: true}},                                         // Apertus
	{"System role not supported", Rules{SystemFirst: true}},                                    // Gemma 2: llama.cpp puts the first one elsewhere
	{"No user query found", Rules{User: true}},                                                 // Qwen 3.5
	{"no first user message", Rules{User: true}},                                               // Llama 3
	{"single tool-calls", Rules{OneCall: true}},                                                // Llama 3
	{"no previous assistant message with a tool call", Rules{CallFirst: true}},                 // MiniMax, gpt-oss
	{"Tool message outside of assistant", Rules{CallFirst: true}},                              // Apertus
	{"alphanumeric strings with length 9", Rules{CallIDs: 9}},                                  // Mistral
	{"both content and thinking", Rules{NoThoughts: true}},                                     // gpt-oss
	{"are supported", Rules{}},                                                                 // roles, and parts of a content
	{"Unexpected", Rules{}},
	{"Unrecognized content type", Rules{}},
	{"cannot contain", Rules{}},
	{"must have a string", Rules{}},
	{"No messages provided", Rules{}},
	{"non-empty messages", Rules{}},
	{"Invalid ", Rules{}},
	{"Cannot have both tool outputs", Rules{}},
	{"tags in the", Rules{}},
	{"reasoning_effort", Rules{}},
}

// Of returns the rules of a chat template in Jinja, as a GGUF file carries it.
func Of(template string) Rules {
	rules := Rules{
		NoTools:    !strings.Contains(template, "tool"),
		NoThoughts: !strings.Contains(template, "reasoning_content") && !strings.Contains(template, "thinking"),
	}
	for _, found := range raised.FindAllStringSubmatch(template, -1) {
		rules = rules.with(about(found[1] + found[2]))
	}
	return rules
}

// about returns the rules that a message stands for.
func about(message string) Rules {
	for _, refusal := range refusals {
		if strings.Contains(message, refusal.words) {
			return refusal.rules
		}
	}
	return strict
}

func (r Rules) with(other Rules) Rules {
	return Rules{
		SystemFirst: r.SystemFirst || other.SystemFirst,
		Alternate:   r.Alternate || other.Alternate,
		User:        r.User || other.User,
		CallFirst:   r.CallFirst || other.CallFirst,
		OneCall:     r.OneCall || other.OneCall,
		CallIDs:     max(r.CallIDs, other.CallIDs),
		NoTools:     r.NoTools || other.NoTools,
		NoThoughts:  r.NoThoughts || other.NoThoughts,
	}
}
