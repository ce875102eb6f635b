package acceptance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
)

// toolTokens are more than the call of a tool without parameters takes.
const toolTokens = 128

// clock is a tool in as few tokens as possible: without parameters there is nothing to get wrong.
const clock = "clock"

// choice is an answer in one piece.
type choice struct {
	Message struct {
		Content   string `json:"content"`
		ToolCalls []call `json:"tool_calls"`
	} `json:"message"`
	FinishReason string `json:"finish_reason"`
}

// call is the call of a tool, in the form in which it is sent back.
type call struct {
	ID       string `json:"id"`
	Type     string `json:"type"`
	Function struct {
		Name      string `json:"name"`
		Arguments string `json:"arguments"`
	} `json:"function"`
}

// choiceOf returns the one choice of an answer.
func choiceOf(a answer) (choice, error) {
	if err := a.expect(http.StatusOK); err != nil {
		return choice{}, err
	}
	var said struct {
		Choices []choice `json:"choices"`
	}
	if err := json.Unmarshal(a.body, &said); err != nil {
		return choice{}, fmt.Errorf("the answer is not JSON: %w", err)
	}
	if len(said.Choices) != 1 {
		return choice{}, fmt.Errorf("expected one choice, got %q", quoted(a.body))
	}
	return said.Choices[0], nil
}

func lengthTold(ctx context.Context, t *Target) (string, error) {
	answer, err := t.chat(ctx, user(prompt))
	if err != nil {
		return "", err
	}
	said, err := choiceOf(answer)
	if err == nil && said.FinishReason != "length" {
		err = fmt.Errorf("expected finish_reason length for an answer that was cut after two tokens, got %q", said.FinishReason)
	}
	return "", err
}

func toolsCalled(ctx context.Context, t *Target) (string, error) {
	said := user("What time is it?")
	answer, err := t.askWithTool(ctx, said, "required", toolTokens)
	if err != nil {
		return "", err
	}
	first, err := choiceOf(answer)
	if err == nil {
		err = isCall(first)
	}
	if err != nil {
		return "", fmt.Errorf("the call: %w", err)
	}
	made := first.Message.ToolCalls[0]
	answer, err = t.askWithTool(ctx, append(said,
		map[string]any{"role": "assistant", "content": nil, "tool_calls": []call{made}},
		map[string]any{"role": "tool", "tool_call_id": made.ID, "content": "noon"},
	), "none", fewTokens)
	if err == nil {
		_, err = choiceOf(answer)
	}
	if err != nil {
		return "", fmt.Errorf("the result of the tool: %w", err)
	}
	return fmt.Sprintf("%s(%s)", made.Function.Name, made.Function.Arguments), nil
}

func (t *Target) askWithTool(ctx context.Context, messages []map[string]any, toolChoice string, tokens int) (answer, error) {
	return t.ask(ctx, http.MethodPost, appliance.PathChat, t.authorized, jsonBody(map[string]any{
		"model": t.Model, "messages": messages, "max_tokens": tokens, "tool_choice": toolChoice,
		"tools": []any{map[string]any{"type": "function", "function": map[string]any{
			"name": clock, "description": "tells the time", "parameters": map[string]any{"type": "object", "properties": map[string]any{}},
		}}},
	}))
}

// isCall requires what agents need of a call to make it and to send its result back.
func isCall(c choice) error {
	calls := c.Message.ToolCalls
	if len(calls) == 0 {
		return fmt.Errorf("expected a call of the tool, got the text %q", quoted([]byte(c.Message.Content)))
	}
	var arguments map[string]any
	switch made := calls[0]; {
	case made.Function.Name != clock:
		return fmt.Errorf("expected a call of the tool %s, got %q", clock, made.Function.Name)
	case made.ID == "":
		return errors.New("the call has no id, which its result needs")
	case json.Unmarshal([]byte(made.Function.Arguments), &arguments) != nil:
		return fmt.Errorf("expected arguments in JSON, got %q", quoted([]byte(made.Function.Arguments)))
	case c.FinishReason != "tool_calls":
		return fmt.Errorf("expected finish_reason tool_calls, got %q", c.FinishReason)
	}
	return nil
}
