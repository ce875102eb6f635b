package acceptance

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
)

// histories are what coding agents send and chat templates refuse, each in as few tokens as
// possible: a CPU reads them all.
var histories = []struct {
	name     string
	messages []map[string]any
}{
	{"two user messages in a row", []map[string]any{
		{"role": "user", "content": "one"},
		{"role": "user", "content": "two"},
	}},
	{"a user message after the result of a tool", []map[string]any{
		{"role": "user", "content": "list"},
		{"role": "assistant", "content": nil, "tool_calls": []map[string]any{
			{"id": "abcdefghi", "type": "function", "function": map[string]string{"name": "ls", "arguments": "{}"}},
		}},
		{"role": "tool", "tool_call_id": "abcdefghi", "content": "a.go"},
		{"role": "user", "content": "stop"},
	}},
	{"an assistant message first", []map[string]any{
		{"role": "assistant", "content": "summary"},
		{"role": "user", "content": "go on"},
	}},
	{"a system message between others", []map[string]any{
		{"role": "system", "content": "one"},
		{"role": "user", "content": "two"},
		{"role": "system", "content": "three"},
		{"role": "user", "content": "four"},
	}},
	{"developer messages", []map[string]any{
		{"role": "developer", "content": "one"},
		{"role": "developer", "content": "two"},
		{"role": "user", "content": "three"},
	}},
}

// agentHistoriesAccepted requires an answer to each: a client sends the same history again and
// again, so that one which is refused ends the conversation.
func agentHistoriesAccepted(ctx context.Context, t *Target) (string, error) {
	var refused []error
	for _, history := range histories {
		answer, err := t.chat(ctx, history.messages)
		if err == nil {
			err = answer.expect(http.StatusOK)
		}
		if err != nil {
			refused = append(refused, fmt.Errorf("%s: %w", history.name, err))
		}
	}
	return fmt.Sprintf("%d histories", len(histories)), errors.Join(refused...)
}

// chat asks for one token.
func (t *Target) chat(ctx context.Context, messages []map[string]any) (answer, error) {
	return t.ask(ctx, http.MethodPost, appliance.PathChat, t.authorized, jsonBody(map[string]any{
		"model": t.Model, "messages": messages, "max_tokens": 1,
	}))
}

// longRun is a number of letters that overflows a stack of 8 MiB in the engine's tokenizer
// (from 20 to 30 KB on), and far from one of 1 GiB.
const longRun = 64 << 10

// longPromptSurvived sends what killed the engine for everybody: a long run of one letter. The
// words behind it are more than the largest context, so that the prompt is refused once it is
// split into tokens, before anything is computed.
func longPromptSurvived(ctx context.Context, t *Target) (string, error) {
	long := strings.Repeat("a", longRun) + strings.Repeat(" x", appliance.MaxContextSize)
	answer, err := t.chat(ctx, []map[string]any{{"role": "user", "content": long}})
	switch {
	case err != nil:
		return "", err
	case answer.status < http.StatusBadRequest:
		return "", fmt.Errorf("%d characters were answered with status %d; no context is so large", len(long), answer.status)
	}
	next, err := t.chat(ctx, []map[string]any{{"role": "user", "content": "one"}})
	if err == nil {
		err = next.expect(http.StatusOK)
	}
	if err != nil {
		return "", fmt.Errorf("the prompt was answered with status %d (%q), and the engine does not answer any more: %w", answer.status, quoted(answer.body), err)
	}
	return fmt.Sprintf("%d characters, status %d", len(long), answer.status), nil
}
