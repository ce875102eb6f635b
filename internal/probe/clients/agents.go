package clients

import (
	"fmt"
	"strings"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/shell"
)

const (
	// provider is the name of the appliance in the configuration of agents.
	provider = "slm-copilot"
	// keyVariable is an environment variable for the password. Codex wants one; the files of Qwen
	// Code and pi give a meaning to some passwords, such as $PATH and !command.
	keyVariable = "SLM_COPILOT_KEY"
)

// clineCLI follows what "cline auth" writes; that program wants the password as an argument,
// which every user of the machine can read.
func (a Appliance) clineCLI() Snippet {
	const name = "openai-compatible"
	return Snippet{"Cline in a terminal: ~/.cline/data/settings/providers.json", indentedJSON(map[string]any{
		"version":          1,
		"lastUsedProvider": name,
		"providers": map[string]any{name: map[string]any{
			"settings": map[string]any{
				"provider": name, "baseUrl": a.BaseURL, "apiKey": a.Password, "model": a.Model,
				"contextWindow": a.ContextSize, "maxTokens": a.answerSize(),
			},
			"updatedAt":   "2026-01-01T00:00:00.000Z",
			"tokenSource": "manual",
		}},
	})}
}

// claudeCode sets the variables of https://code.claude.com/docs/en/env-vars. The names of the
// models are those that sub-agents and short tasks of its own ask for.
func (a Appliance) claudeCode() Snippet {
	model := shell.Quote(a.Model)
	text := fmt.Sprintf(`export ANTHROPIC_BASE_URL=%s
export ANTHROPIC_AUTH_TOKEN=%s
export ANTHROPIC_MODEL=%s
export ANTHROPIC_DEFAULT_OPUS_MODEL=%s
export ANTHROPIC_DEFAULT_SONNET_MODEL=%s
export ANTHROPIC_DEFAULT_HAIKU_MODEL=%s
export CLAUDE_CODE_MAX_CONTEXT_TOKENS=%d
export CLAUDE_CODE_MAX_OUTPUT_TOKENS=%d
export CLAUDE_CODE_ATTRIBUTION_HEADER=0
export CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1
`, shell.Quote(strings.TrimSuffix(a.BaseURL, "/v1")), shell.Quote(a.Password), model, model, model, model,
		a.claudeContext(), a.claudeAnswer())
	return Snippet{"Claude Code", text + a.trustVariable("NODE_EXTRA_CA_CERTS")}
}

const (
	// claudeReserve is the longest answer that Claude Code 2.1.328 keeps room for, and
	// claudeMargin is how many tokens before that room it compacts a conversation.
	claudeReserve, claudeMargin = 20000, 13000
	// claudeSummary is how many tokens its request for a summary is longer than the conversation.
	claudeSummary = 2000
)

// claudeAnswer is the longest answer for Claude Code, which asks for 32,000 tokens by itself.
func (a Appliance) claudeAnswer() int { return min(a.answerSize(), claudeReserve) }

// claudeContext is the context size that makes Claude Code compact a conversation when its
// summary would just fit. Told the real one, it would do so 13,000 tokens earlier: with 32,768
// tokens, of which its instructions and tools take 12,400, before the work begins.
func (a Appliance) claudeContext() int { return a.ContextSize - claudeSummary + claudeMargin }

// agentKey keeps the password out of the files, where its variable is named.
func (a Appliance) agentKey() Snippet {
	text := fmt.Sprintf("export %s=%s\n", keyVariable, shell.Quote(a.Password))
	return Snippet{"Codex, Qwen Code and pi", text + a.trustVariable("NODE_EXTRA_CA_CERTS") + a.trustVariable("CODEX_CA_CERTIFICATE")}
}

// trustVariable sets an environment variable to the path of the root certificate, if one must be
// trusted.
func (a Appliance) trustVariable(name string) string {
	if a.Root == nil {
		return ""
	}
	return "export " + name + "=" + caPath + "\n"
}

// codex follows https://developers.openai.com/codex/config-reference. Codex compacts a
// conversation ahead of time only: an error about the context ends its work. So there is room left
// for one more output of a command, and for the answer. JSON strings are valid in TOML.
func (a Appliance) codex() Snippet {
	return Snippet{"Codex: ~/.codex/config.toml", fmt.Sprintf(`model = %s
model_provider = "`+provider+`"
model_context_window = %d
model_auto_compact_token_limit = %d
tool_output_token_limit = %d

[model_providers.`+provider+`]
name = "SLM-Copilot"
base_url = %s
env_key = "`+keyVariable+`"
wire_api = "responses"
`, compactJSON(a.Model), a.ContextSize, a.ContextSize-a.answerSize()-a.outputSize(), a.outputSize(), compactJSON(a.BaseURL))}
}

// outputSize is how many tokens of the output of a command Codex may show the model, 10,000 unless
// it is told.
func (a Appliance) outputSize() int { return a.ContextSize / 8 }

// qwenMargin is how many tokens before the end of the context Qwen Code 0.24.4 compacts a
// conversation: 20,000 for a summary, and 13,000 more.
const qwenMargin = 33000

// qwenCode follows its own documentation, bundled as model-providers.md and settings.md. The
// context size makes it compact a conversation when there is just room for the answer. Without the
// two variables it ends a stream after 4 minutes without a token and after 15 minutes in all,
// whatever signs of life there are.
func (a Appliance) qwenCode() Snippet {
	return Snippet{"Qwen Code: ~/.qwen/settings.json", indentedJSON(map[string]any{
		"security": map[string]any{"auth": map[string]any{"selectedType": "openai"}},
		"model":    map[string]any{"name": a.Model},
		"modelProviders": map[string]any{"openai": []any{map[string]any{
			"id": a.Model, "name": a.Model, "baseUrl": a.BaseURL, "envKey": keyVariable,
			"generationConfig": map[string]any{
				"contextWindowSize": a.ContextSize - a.answerSize() + qwenMargin,
				"samplingParams":    map[string]any{"max_tokens": a.answerSize()},
			},
		}}},
		"env": map[string]any{"QWEN_STREAM_IDLE_TIMEOUT_MS": "0", "QWEN_STREAM_MAX_LIFETIME_MS": "0"},
	})}
}

// pi follows the page docs/models.md in its package.
func (a Appliance) pi() Snippet {
	return Snippet{"pi: ~/.pi/agent/models.json", indentedJSON(map[string]any{
		"providers": map[string]any{provider: map[string]any{
			"baseUrl": a.BaseURL, "api": "openai-completions", "apiKey": keyVariable,
			"models": []any{map[string]any{
				"id": a.Model, "contextWindow": a.ContextSize, "maxTokens": a.answerSize(),
			}},
		}},
	})}
}

// piCompaction makes pi keep a quarter of the context when it compacts a conversation, and
// another for the answer. Its defaults, 20,000 and 16,384 tokens, do not fit into 32,768.
func (a Appliance) piCompaction() Snippet {
	return Snippet{"pi: ~/.pi/agent/settings.json", indentedJSON(map[string]any{
		"defaultProvider": provider,
		"defaultModel":    a.Model,
		"compaction":      map[string]any{"reserveTokens": a.answerSize(), "keepRecentTokens": a.answerSize()},
	})}
}
