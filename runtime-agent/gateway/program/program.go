// Package program knows the programs that ask by what they send: which coding agent it is, and
// whether anybody waits for the answer.
package program

import (
	"slices"
	"strings"
)

// Other is the name of every program that is not known.
const Other = "other"

// Editor is the name of what plugins of editors ask for while somebody types, whichever it is: they fill in the middle
// of a text.
const Editor = "completion in the editor"

// known are the agents, as these versions send them: Claude Code 2.1.328, Codex 0.169.0, OpenCode
// 1.18.33, Qwen Code 0.24.4, Cline 3.0.65, the CLI of Continue 1.5.47 and pi 0.73.1. The last three
// go by the name of a library, so their system prompts tell.
var known = []struct{ name, userAgent, system string }{
	{name: "Claude Code", userAgent: "claude-cli/"},
	{name: "Codex", userAgent: "codex"},
	{name: "OpenCode", userAgent: "opencode/"},
	{name: "Qwen Code", userAgent: "QwenCode/"},
	{name: "Cline", system: "You are Cline"},
	{name: "Continue", system: "You are an agent in the Continue CLI"},
	{name: "pi", system: "You are an expert coding assistant operating inside pi"},
}

// Name returns which program sent a prompt with that system prompt.
func Name(userAgent, system string) string {
	for _, one := range known {
		if one.userAgent != "" && strings.HasPrefix(userAgent, one.userAgent) || one.system != "" && strings.HasPrefix(system, one.system) {
			return one.name
		}
	}
	return Other
}

// background are the beginnings of what agents ask besides, for titles, memories and suggestions, in
// their system prompt or in the last message. They wait for none of it, but a small engine is kept
// from their users for minutes.
var background = map[string][]string{
	"OpenCode": {"You are a title generator."},
	"Qwen Code": {
		"You are now acting as the managed memory extraction subagent", "You are performing a managed memory dream",
		"You generate session recaps", "Generate the session title now.", "[SUGGESTION MODE: ",
	},
	"Claude Code": {
		"[SUGGESTION MODE: ", "You are now acting as the memory extraction subagent", "The user stepped away and is coming back.",
		"Generate a short kebab-case name", "Write a short summary label describing",
	},
}

// longestProbe is the length in bytes of the longest prompt that finds out whether there is a server.
// Claude Code says "quota".
const longestProbe = 64

// Background reports whether nobody waits for the answer to a prompt that a program has sent, of which
// last is the last message, if that is the user's. A short one that asks for one token is for finding
// out whether there is a server.
func Background(name, system, last string, maxTokens int) bool {
	if maxTokens == 1 && len(system)+len(last) <= longestProbe {
		return true
	}
	return slices.ContainsFunc(background[name], func(words string) bool {
		return strings.HasPrefix(system, words) || strings.HasPrefix(last, words)
	})
}
