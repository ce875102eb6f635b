package program_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/program"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/prompt"
)

func said(role, text string) prompt.Part {
	return prompt.Part{Place: prompt.Place{Role: role, Field: "content"}, Text: text}
}

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
		got := program.Name(tt.userAgent, []prompt.Part{said("system", tt.system), said("user", "You are Cline")})
		assert.Equal(t, tt.want, got, tt.userAgent)
	}
	assert.Equal(t, program.Other, program.Name("", nil))
}

func TestBackground(t *testing.T) {
	chat := []prompt.Part{said("system", "You are Qwen Code"), said("user", "Write a title generator.")}
	for name, tt := range map[string]struct {
		parts     []prompt.Part
		maxTokens int
		want      bool
	}{
		"a chat":                         {chat, 0, false},
		"a chat with a limit":            {chat, 16384, false},
		"is there a server":              {chat, 1, true},
		"a title of OpenCode":            {[]prompt.Part{said("system", "You are a title generator. You output ONLY a thread title."), said("user", "Generate a title")}, 0, true},
		"memories of Qwen Code":          {[]prompt.Part{said("system", "You are now acting as the managed memory extraction subagent for an AI coding assistant."), said("user", "a"), said("tool", "b")}, 0, true},
		"a suggestion of Claude Code":    {append(chat[:2:2], said("assistant", "a"), said("user", "[SUGGESTION MODE: Suggest what the user might naturally type next into Claude Code.]")), 0, true},
		"a suggestion, and its answer":   {append(chat[:2:2], said("user", "[SUGGESTION MODE: Suggest"), said("assistant", "a"), said("user", "go on")), 0, false},
		"words of a tool":                {append(chat[:2:2], said("tool", "[SUGGESTION MODE: Suggest")), 0, false},
		"no system prompt, but a user's": {[]prompt.Part{said("user", "hello")}, 0, false},
		"nothing":                        {nil, 0, false},
	} {
		t.Run(name, func(t *testing.T) { assert.Equal(t, tt.want, program.Background(tt.parts, tt.maxTokens)) })
	}
}
