package main

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/probe"
)

// usageByProgram has a row for each program that has asked, the one with most to read first.
func usageByProgram(numbers probe.Numbers) string {
	programs := numbers.Values(appliance.MetricProgramTokens, "program")
	unread := func(name string) float64 {
		return numbers.Sum(appliance.MetricProgramTokens, "program", name, "state", "new")
	}
	slices.SortFunc(programs, func(a, b string) int {
		return cmp.Or(cmp.Compare(unread(b), unread(a)), cmp.Compare(a, b))
	})
	if len(programs) == 0 {
		return ""
	}
	rows := table{{"program", "prompt tokens", "of which new"}}
	for _, name := range programs {
		rows = append(rows, []string{name, whole(numbers.Sum(appliance.MetricProgramTokens, "program", name)), whole(unread(name))})
	}
	return rows.String()
}

// readAgain says which programs have the engine read again what it has read, and what to do about it.
func readAgain(numbers probe.Numbers) string {
	rows := table{{"program", "where", "prompts", "tokens"}}
	var advice string
	for _, name := range numbers.Values(appliance.MetricAgain, "program") {
		for _, at := range numbers.Values(appliance.MetricAgain, "at") {
			tokens := numbers.Sum(appliance.MetricAgain, "program", name, "at", at)
			if tokens < worthSaying {
				continue
			}
			rows = append(rows, []string{name, at, whole(numbers.Sum(appliance.MetricParted, "program", name, "at", at)), whole(tokens)})
			advice += fmt.Sprintf("\n%s, %s: %s\n", name, at, adviceFor(name, at))
		}
	}
	if advice == "" {
		return ""
	}
	return "Prompts that did not go on from the one before, so that the model read so much again:\n" + rows.String() + advice
}

// worthSaying is a number of tokens below which nobody notices that they are read again.
const worthSaying = 1000

// settings are those of clients that stop one from changing what it has said. They are of the
// versions that package program knows.
var settings = map[[2]string]string{
	{"Qwen Code", "tool content"}: `it clears old results after an hour without a prompt. Set "context": {"clearContextOnIdle": {"toolResultsThresholdMinutes": -1}} in ~/.qwen/settings.json.`,
	{"OpenCode", "tool content"}:  `it clears old results. Set "compaction": {"prune": false} in opencode.json.`,
}

// causes are what changes at a place, whatever the client is.
var causes = map[string]string{
	"system content": "something in its system prompt changes, such as a clock or a status. It belongs into the last message.",
	"tools":          "its tools change, as those of MCP servers do that come and go. Keep the list of servers as it is while a conversation runs.",
	"user content":   "it changes a message that was sent before, such as a reminder or an attached file.",
	"tool content":   "it shortens or removes results of tools that were sent before.",
}

func adviceFor(name, at string) string {
	if advice, known := settings[[2]string{name, at}]; known {
		return advice
	}
	return cmp.Or(causes[at], "it changes what the model has said.")
}
