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
	{"a user message after the result of a tool", append(withCall("abcdefghi", "{}"), map[string]any{
		"role": "user", "content": "stop",
	})},
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
	{"a developer message between others", []map[string]any{
		{"role": "user", "content": "one"},
		{"role": "developer", "content": "two"},
		{"role": "user", "content": "three"},
	}},
	{"a tool call with an id of 24 characters", withCall("chatcmpl-tool-0123456789", "{}")},
	{"a tool call without arguments", withCall("abcdefghi", "")},
	{"contents in parts", []map[string]any{
		{"role": "user", "content": []map[string]string{{"type": "text", "text": "one"}, {"type": "text", "text": "two"}}},
	}},
	{"developer messages", []map[string]any{
		{"role": "developer", "content": "one"},
		{"role": "developer", "content": "two"},
		{"role": "user", "content": "three"},
	}},
}

// withCall is a history that ends in the result of a tool.
func withCall(id, arguments string) []map[string]any {
	return []map[string]any{
		{"role": "user", "content": "list"},
		{"role": "assistant", "content": nil, "tool_calls": []map[string]any{
			{"id": id, "type": "function", "function": map[string]string{"name": "ls", "arguments": arguments}},
		}},
		{"role": "tool", "tool_call_id": id, "content": "a.go"},
	}
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

// chat asks for two tokens: one would be taken for a client that only looks whether there is a server.
func (t *Target) chat(ctx context.Context, messages []map[string]any) (answer, error) {
	return t.askChat(ctx, messages, false)
}

func (t *Target) askChat(ctx context.Context, messages []map[string]any, stream bool) (answer, error) {
	return t.ask(ctx, http.MethodPost, appliance.PathChat, t.authorized, jsonBody(map[string]any{
		"model": t.Model, "messages": messages, "max_tokens": 2, "stream": stream,
	}))
}

func user(text string) []map[string]any {
	return []map[string]any{{"role": "user", "content": text}}
}

// tooLong is the code by which clients notice that they should summarize the conversation.
const tooLong = "context_length_exceeded"

// longPromptRefused sends three times as many words as the context has tokens, which no estimate
// takes for a prompt that fits. Clients that are sent the head of a stream first do not summarize.
func longPromptRefused(ctx context.Context, t *Target) (string, error) {
	model, err := t.listed(ctx)
	if err != nil {
		return "", err
	}
	long := strings.Repeat(" x", 3*model.contextLength())
	answer, err := t.askChat(ctx, user(long), true)
	if err != nil {
		return "", err
	}
	if err := answer.expect(http.StatusBadRequest); err != nil {
		return "", err
	}
	if err := isTooLong(answer); err != nil {
		return "", err
	}
	return fmt.Sprintf("%d characters", len(long)), nil
}

func isTooLong(a answer) error {
	said, err := openAIErrorOf(a)
	if err == nil && said.Code != tooLong {
		err = fmt.Errorf("expected the code %s, got %q: %q", tooLong, said.Code, said.Message)
	}
	return err
}

// longRun is a number of letters that overflows a stack of 8 MiB in the engine's tokenizer
// (from 20 to 30 KB on), and far from one of 1 GiB.
const longRun = 64 << 10

// longPromptSurvived sends what killed the engine for everybody: a long run of one letter.
func longPromptSurvived(ctx context.Context, t *Target) (string, error) {
	model, err := t.listed(ctx)
	if err != nil {
		return "", err
	}
	long := denseText(model.contextLength())
	answer, err := t.chat(ctx, user(long))
	if err != nil {
		return "", err
	}
	next, err := t.chat(ctx, user("one"))
	if err == nil {
		err = next.expect(http.StatusOK)
	}
	if err != nil {
		return "", fmt.Errorf("the prompt was answered with status %d (%q), and the engine does not answer any more: %w", answer.status, quoted(answer.body), err)
	}
	// The status is 200 where a slow engine was given time before the error.
	if err := isTooLong(answer); err != nil {
		return "", fmt.Errorf("%d characters, more than the context holds, were answered with status %d: %w", len(long), answer.status, err)
	}
	return fmt.Sprintf("%d characters, status %d", len(long), answer.status), nil
}

// denseText begins with a long run of one letter and is longer than the context, so that the engine
// splits it into tokens and computes nothing. The gateway must not notice: it takes three
// characters or more for a token. A change between digits and letters ends a token in every
// vocabulary, so that what follows the run has one for each character.
func denseText(contextLength int) string {
	more := contextLength + contextLength/10
	return strings.Repeat("a", min(longRun, more)) + strings.Repeat("1a", more/2)
}
