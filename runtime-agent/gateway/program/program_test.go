package program_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/program"
)

// TestName has the headers of the agents as they send them.
func TestName(t *testing.T) {
	for _, tt := range []struct{ want, userAgent, system string }{
		{"Claude Code", "claude-cli/2.1.328 (external, sdk-cli)", "You are a Claude agent"},
		{"Codex", "codex_exec/0.169.0 (Debian 12.0.0; x86_64) dumb (codex_exec; 0.169.0)", "You are a coding agent running in the Codex CLI"},
		{"OpenCode", "opencode/1.18.33 ai-sdk/provider-utils/4.0.23 runtime/bun/1.3.14", "You are a title generator."},
		{"Qwen Code", "QwenCode/0.24.4 (linux; x64)", "You are Qwen Code"},
		{"Cline", "ai-sdk/openai-compatible/3.0.37 ai-sdk/provider-utils/5.0.30 runtime/bun/1.3.13", "You are Cline, an AI coding agent."},
		{"Continue", "ls/JS 5.23.2", "You are an agent in the Continue CLI."},
		{"pi", "OpenAI/JS 6.26.0", "You are an expert coding assistant operating inside pi, a coding agent harness."},
		{program.Other, "OpenAI/JS 6.26.0", "You are helpful."},
		{program.Other, "", ""},
	} {
		assert.Equal(t, tt.want, program.Name(tt.userAgent, tt.system), tt.userAgent)
	}
}

func TestBackground(t *testing.T) {
	const chat, memories = "You are Qwen Code", "You are now acting as the managed memory extraction subagent for an AI coding assistant."
	const suggestion = "[SUGGESTION MODE: Suggest what the user might naturally type next into Claude Code.]"
	for name, tt := range map[string]struct {
		program, system, last string
		maxTokens             int
		want                  bool
	}{
		"a chat":                      {"Qwen Code", chat, "Write a title generator.", 0, false},
		"a chat with a limit":         {"Qwen Code", chat, "Hello", 16384, false},
		"is there a server":           {program.Other, "", "quota", 1, true},
		"one token of a long prompt":  {program.Other, "", "Is this a bug? Answer y or n.\n" + strings.Repeat("word ", 20), 1, false},
		"a title of OpenCode":         {"OpenCode", "You are a title generator. You output ONLY a thread title.", "Generate a title for this conversation:", 0, true},
		"memories of Qwen Code":       {"Qwen Code", memories, "", 0, true},
		"a suggestion of Claude Code": {"Claude Code", chat, suggestion, 0, true},
		"the same words of a person":  {"Cline", "You are Cline", suggestion, 0, false},
		"words within a message":      {"Claude Code", chat, "What does [SUGGESTION MODE: mean?", 0, false},
		"nothing":                     {"", "", "", 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, tt.want, program.Background(tt.program, tt.system, tt.last, tt.maxTokens))
		})
	}
}
