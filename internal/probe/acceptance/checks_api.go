package acceptance

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/probe/completion"
)

// The prompt makes any model produce more than one token.
const (
	prompt    = "Count from one to ten in words."
	maxTokens = 16
)

// ask sends one request to the HTTPS port.
func (t *Target) ask(ctx context.Context, method, path string, edits ...func(*http.Request)) (answer, error) {
	request, err := http.NewRequestWithContext(ctx, method, t.BaseURL()+path, nil)
	if err != nil {
		return answer{}, err
	}
	for _, edit := range edits {
		edit(request)
	}
	return send(t.Client(), request)
}

func (t *Target) authorized(r *http.Request) {
	bearer.set(r, t.Password)
}

// jsonBody sets the body of a POST request.
func jsonBody(content any) func(*http.Request) {
	return func(r *http.Request) {
		if r.Method != http.MethodPost {
			return
		}
		// Maps of strings and numbers can always be encoded.
		body, _ := json.Marshal(content)
		r.Header.Set("Content-Type", "application/json")
		r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
		r.Body, _ = r.GetBody()
		r.ContentLength = int64(len(body))
	}
}

func chatAnswers(ctx context.Context, t *Target) (string, error) {
	answer, err := t.ask(ctx, http.MethodPost, appliance.PathChat, t.authorized, jsonBody(map[string]any{
		"model":      t.Model,
		"messages":   []map[string]string{{"role": "user", "content": prompt}},
		"max_tokens": maxTokens,
	}))
	if err != nil {
		return "", err
	}
	if err := answer.expect(http.StatusOK); err != nil {
		return "", err
	}
	var chat struct {
		Choices []struct {
			Message struct {
				Content string `json:"content"`
				// Reasoning is LocalAI's name for what a model says to itself.
				Reasoning string `json:"reasoning"`
			} `json:"message"`
		} `json:"choices"`
	}
	if err := json.Unmarshal(answer.body, &chat); err != nil {
		return "", fmt.Errorf("the answer is not JSON: %w", err)
	}
	switch {
	case len(chat.Choices) == 0 || chat.Choices[0].Message.Content == "" && chat.Choices[0].Message.Reasoning == "":
		return "", errors.New("the answer holds no text")
	case chat.Choices[0].Message.Content == "":
		return "", completion.ErrReasoning
	}
	return fmt.Sprintf("%d characters", len(chat.Choices[0].Message.Content)), nil
}

func chatStreams(ctx context.Context, t *Target) (string, error) {
	result, err := completion.Stream(ctx, t.Client(), t.BaseURL(), t.Model, t.Password, prompt, maxTokens)
	if err != nil {
		return "", err
	}
	if result.Tokens < 2 {
		return "", fmt.Errorf("expected several tokens, got %d", result.Tokens)
	}
	return fmt.Sprintf("%d tokens in %s, the first after %s", result.Tokens,
		result.Total.Round(time.Millisecond), result.FirstToken.Round(time.Millisecond)), nil
}

// middleFilled sends what an editor sends, which LocalAI would answer with something else without a word. A model may have
// nothing to write.
func middleFilled(ctx context.Context, t *Target) (string, error) {
	answer, err := t.ask(ctx, http.MethodPost, appliance.PathCompletions, t.authorized, jsonBody(map[string]any{
		"model": t.Model, "prompt": "def add(a, b):\n    return ", "suffix": "\n", "max_tokens": 2,
	}))
	if err != nil {
		return "", err
	}
	if answer.status == http.StatusBadRequest {
		return middleRefused(answer)
	}
	if err := answer.expect(http.StatusOK); err != nil {
		return "", err
	}
	var said struct {
		Choices []struct {
			Text *string `json:"text"`
		} `json:"choices"`
	}
	if err := json.Unmarshal(answer.body, &said); err != nil {
		return "", fmt.Errorf("the answer is not JSON: %w", err)
	}
	if len(said.Choices) != 1 || said.Choices[0].Text == nil {
		return "", fmt.Errorf("expected one text, got %q", quoted(answer.body))
	}
	return fmt.Sprintf("answered, %d characters", len(*said.Choices[0].Text)), nil
}

// middleRefused wants a refusal that names the field: an editor shows it.
func middleRefused(a answer) (string, error) {
	said, err := openAIErrorOf(a)
	if err == nil && said.Param != "suffix" {
		err = fmt.Errorf("expected an error about suffix, got one about %q: %q", said.Param, said.Message)
	}
	return "the model does not fill in the middle", err
}
