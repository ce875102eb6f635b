package acceptance

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
)

// fewTokens are enough for an answer that holds some text.
const fewTokens = 4

// responsesAnswers asks in OpenAI's Responses API, which Codex speaks.
func responsesAnswers(ctx context.Context, t *Target) (string, error) {
	answer, err := t.ask(ctx, http.MethodPost, appliance.PathResponses, t.authorized, jsonBody(map[string]any{
		"model": t.Model, "input": prompt, "max_output_tokens": fewTokens, "stream": true,
	}))
	if err != nil {
		return "", err
	}
	return streamed(answer, "response.output_text.delta", "response.completed", "response.incomplete")
}

// messagesAnswers asks in Anthropic's Messages API, which Claude Code speaks.
func messagesAnswers(ctx context.Context, t *Target) (string, error) {
	if err := tokensCounted(ctx, t); err != nil {
		return "", fmt.Errorf("POST %s: %w", appliance.PathCountTokens, err)
	}
	answer, err := t.ask(ctx, http.MethodPost, appliance.PathMessages, t.authorized, jsonBody(map[string]any{
		"model": t.Model, "messages": user(prompt), "max_tokens": fewTokens, "stream": true,
	}))
	if err != nil {
		return "", err
	}
	return streamed(answer, "content_block_delta", "message_stop")
}

func tokensCounted(ctx context.Context, t *Target) error {
	answer, err := t.ask(ctx, http.MethodPost, appliance.PathCountTokens, t.authorized, jsonBody(map[string]any{
		"model": t.Model, "messages": user(prompt),
	}))
	if err != nil {
		return err
	}
	if err := answer.expect(http.StatusOK); err != nil {
		return err
	}
	var count struct {
		InputTokens int `json:"input_tokens"`
	}
	if json.Unmarshal(answer.body, &count) != nil || count.InputTokens < 1 {
		return fmt.Errorf("expected the number input_tokens, got %q", quoted(answer.body))
	}
	return nil
}

// streamed requires a stream of events that has one of the type text and ends in one of the last
// types: a client waits for that one, or takes the answer for broken.
func streamed(a answer, text string, last ...string) (string, error) {
	if err := a.expect(http.StatusOK); err != nil {
		return "", err
	}
	if a.contentType() != "text/event-stream" {
		return "", fmt.Errorf("expected a stream of events, got Content-Type %q", a.header.Get("Content-Type"))
	}
	events, err := eventsOf(a.body)
	if err != nil {
		return "", err
	}
	if len(events) == 0 {
		return "", errors.New("the stream holds no event")
	}
	end := events[len(events)-1]
	switch {
	case !slices.Contains(last, end.Type):
		return "", fmt.Errorf("expected the last event to be one of %q, got %q", last, quoted(end.data))
	case !slices.ContainsFunc(events, func(e event) bool { return e.Type == text }):
		return "", fmt.Errorf("the answer holds no text: expected an event %s", text)
	}
	return fmt.Sprintf("%d events, the last is %s", len(events), end.Type), nil
}

// event is one of a stream. Both APIs repeat its type in the data, which is one line.
type event struct {
	Type string `json:"type"`
	data []byte
}

func eventsOf(stream []byte) ([]event, error) {
	var events []event
	for line := range bytes.Lines(stream) {
		data, found := bytes.CutPrefix(line, []byte("data:"))
		if !found {
			continue
		}
		e := event{data: bytes.TrimSpace(data)}
		if err := json.Unmarshal(data, &e); err != nil {
			return nil, fmt.Errorf("the stream holds an event that is not JSON: %w", err)
		}
		events = append(events, e)
	}
	return events, nil
}
