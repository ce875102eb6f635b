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
	// NoSystem: there are no system messages at all.
	NoSystem bool `json:"no_system,omitempty"`
	// Alternate: user and assistant take turns, and the user begins.
	Alternate bool `json:"alternate,omitempty"`
	// NoTools: the template has no place for tool calls and results, and would leave them out.
	NoTools bool `json:"no_tools,omitempty"`
	// Developer: the template knows the role "developer"; for others it is "system".
	Developer bool `json:"developer,omitempty"`
	// CallIDs is the length that the ids of tool calls must have, 0 if any will do.
	CallIDs int `json:"call_ids,omitempty"`
}

// strict is for a template that refuses something unknown: no template is known to refuse a
// history that keeps all of it.
var strict = Rules{SystemFirst: true, Alternate: true}

// raised finds the message of each exception that a template raises.
var raised = regexp.MustCompile(`raise_exception\(\s*['"]((?:[^'"\\]|\\.)*)`)

// refusals are the messages of the templates that llama.cpp b10361 has in models/templates, by
// what they are about.
var refusals = []struct {
	words *regexp.Regexp
	rules Rules
}{
	{regexp.MustCompile(`(?i)alternat`), Rules{Alternate: true, SystemFirst: true}},
	{regexp.MustCompile(`(?i)system role not supported`), Rules{NoSystem: true}},
	{regexp.MustCompile(`(?i)system message must be (at )?the (beginning|first)|system message should be|system messages? (is|are) only allowed`), Rules{SystemFirst: true}},
	{regexp.MustCompile(`(?i)length 9|9 characters|alphanumeric`), Rules{CallIDs: 9}},
	{regexp.MustCompile(`(?i)after the optional system message`), Rules{Alternate: true, SystemFirst: true}},
}

// harmless are messages about what the gateway refuses itself, or never sends.
var harmless = regexp.MustCompile(`(?i)unknown role|roles are supported|unexpected (item type|message role)|image|video|audio|` +
	`chunks? are supported|content type|blocks? are supported`)

// Of returns the rules of a chat template in Jinja, as a GGUF file carries it.
func Of(template string) Rules {
	rules := Rules{
		NoTools:   !strings.Contains(template, "tool"),
		Developer: strings.Contains(template, "developer"),
	}
	for _, found := range raised.FindAllStringSubmatch(template, -1) {
		rules = rules.with(about(found[1]))
	}
	return rules
}

// about returns the rules that a message stands for.
func about(message string) Rules {
	for _, refusal := range refusals {
		if refusal.words.MatchString(message) {
			return refusal.rules
		}
	}
	if harmless.MatchString(message) {
		return Rules{}
	}
	return strict
}

func (r Rules) with(other Rules) Rules {
	r.SystemFirst = r.SystemFirst || other.SystemFirst
	r.NoSystem = r.NoSystem || other.NoSystem
	r.Alternate = r.Alternate || other.Alternate
	r.CallIDs = max(r.CallIDs, other.CallIDs)
	return r
}
