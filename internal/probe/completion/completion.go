// Package completion requests one streamed answer from a chat model and measures it. It is the
// health check of the appliance, inside the VM and from outside: whether the model really
// answers.
package completion

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
)

const (
	// maxEvent limits one line of the stream, in bytes; a token takes a few hundred.
	maxEvent = 1 << 20
	// maxErrorBody limits, in bytes, what is read of a response that is not a stream.
	maxErrorBody = 64 << 10
)

// Result is one complete answer.
type Result struct {
	Text string
	// Tokens is the server's count or, if it sent none, the number of chunks. PromptTokens is the
	// server's count, 0 if it sent none.
	Tokens, PromptTokens int
	// Begin, FirstToken and Total are measured from the start of the request. Begin is until the first
	// token of all, which may be of the model's reasoning, FirstToken until the first one of the answer.
	Begin, FirstToken time.Duration
	Total             time.Duration
}

// Request is one question.
type Request struct {
	Model     string
	Messages  []Message
	MaxTokens int
}

// Message is one turn of a conversation.
type Message struct {
	// Role is "system", "user" or "assistant".
	Role    string `json:"role"`
	Content string `json:"content"`
}

// StatusError is a response with a status other than 200.
type StatusError struct {
	Status int
	// Code and Message are those of an error in OpenAI's format; Message is the start of any other body.
	Code, Message string
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("HTTP %d: %s", e.Status, e.Message)
}

// StreamError is an error that ends a stream.
type StreamError struct{ Code, Message string }

func (e *StreamError) Error() string { return "the stream ends in an error: " + e.Message }

// ErrReasoning is the error for a model of whose answer nothing but its reasoning came.
var ErrReasoning = errors.New("the model only thought: every token came as reasoning, none as an answer. " +
	"Its chat template has it think first ([THINK], <think>); use a model, or a template, that answers at once")

// Stream requests at most maxTokens tokens from model and reads the answer to its end. baseURL
// is scheme, host and port. An answer without any text is an error, and so is a stream that
// stops before its end mark: LocalAI sends status 200 even for a request that then fails.
func Stream(ctx context.Context, client *http.Client, baseURL, model, apiKey, prompt string, maxTokens int) (Result, error) {
	return Ask(ctx, client, baseURL, apiKey, Request{Model: model, Messages: []Message{{Role: "user", Content: prompt}}, MaxTokens: maxTokens})
}

// Ask does the same for a conversation. With ErrReasoning the result is there, too.
func Ask(ctx context.Context, client *http.Client, baseURL, apiKey string, asked Request) (Result, error) {
	url := strings.TrimSuffix(baseURL, "/") + appliance.PathChat
	started := time.Now()
	response, err := post(ctx, client, url, apiKey, chatRequest{
		Model:         asked.Model,
		Messages:      asked.Messages,
		MaxTokens:     asked.MaxTokens,
		Stream:        true,
		StreamOptions: streamOptions{IncludeUsage: true},
	})
	if err != nil {
		return Result{}, fmt.Errorf("ask %s: %w", url, err)
	}
	defer response.Body.Close()

	result, err := readStream(response.Body, started)
	if err != nil {
		return result, fmt.Errorf("ask %s: %w", url, err)
	}
	return result, nil
}

type chatRequest struct {
	Model         string        `json:"model"`
	Messages      []Message     `json:"messages"`
	MaxTokens     int           `json:"max_tokens"`
	Stream        bool          `json:"stream"`
	StreamOptions streamOptions `json:"stream_options"`
}

type streamOptions struct {
	IncludeUsage bool `json:"include_usage"`
}

// post returns the response only if it is a stream.
func post(ctx context.Context, client *http.Client, url, apiKey string, body chatRequest) (*http.Response, error) {
	encoded, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(encoded))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	if apiKey != "" {
		request.Header.Set("Authorization", "Bearer "+apiKey)
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, unwrapURL(err)
	}
	if err := checkHead(response); err != nil {
		response.Body.Close()
		return nil, err
	}
	return response, nil
}

// unwrapURL drops the method and address that net/http prepends to its errors: ours contain
// them already.
func unwrapURL(err error) error {
	if inner := errors.Unwrap(err); inner != nil {
		return inner
	}
	return err
}

func checkHead(response *http.Response) error {
	if response.StatusCode != http.StatusOK {
		code, message := errorOf(response.Body)
		return &StatusError{Status: response.StatusCode, Code: code, Message: message}
	}
	kind, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type"))
	if kind != "text/event-stream" {
		return fmt.Errorf("expected a stream of events, got Content-Type %q", response.Header.Get("Content-Type"))
	}
	return nil
}

// errorOf returns the code and the message of an error in OpenAI's format, or else the start of the
// body.
func errorOf(body io.Reader) (code, message string) {
	text, _ := io.ReadAll(io.LimitReader(body, maxErrorBody))
	var answer event
	if json.Unmarshal(text, &answer) == nil && answer.Error != nil && answer.Error.Message != "" {
		code, _ := answer.Error.Code.(string)
		return code, answer.Error.Message
	}
	const enough = 200
	return "", strings.TrimSpace(string(text[:min(len(text), enough)]))
}

// event is one "data:" line of the stream.
type event struct {
	Choices []choice `json:"choices"`
	Usage   *struct {
		PromptTokens     int `json:"prompt_tokens"`
		CompletionTokens int `json:"completion_tokens"`
	} `json:"usage"`
	Error *struct {
		// Code is a number in LocalAI's own errors.
		Code    any    `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
}

type choice struct {
	Delta struct {
		Content string `json:"content"`
		// Reasoning and ReasoningContent are what a model says to itself, by LocalAI's
		// name and by llama.cpp's.
		Reasoning        string `json:"reasoning"`
		ReasoningContent string `json:"reasoning_content"`
	} `json:"delta"`
}

// readStream reads server-sent events up to "data: [DONE]".
func readStream(body io.Reader, started time.Time) (Result, error) {
	var result Result
	var text strings.Builder
	thinks := false
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, maxEvent)
	for lines.Scan() {
		data, isData := strings.CutPrefix(lines.Text(), "data:")
		data = strings.TrimSpace(data)
		if !isData || data == "" {
			continue
		}
		if data == "[DONE]" {
			return finish(result, text.String(), thinks, started)
		}
		var e event
		if err := json.Unmarshal([]byte(data), &e); err != nil {
			return Result{}, fmt.Errorf("the stream holds an event that is not JSON: %w", err)
		}
		if e.Error != nil {
			code, _ := e.Error.Code.(string)
			return Result{}, &StreamError{Code: code, Message: e.Error.Message}
		}
		result.add(e, &text, started)
		thinks = thinks || e.thinks()
	}
	if err := lines.Err(); err != nil {
		return Result{}, fmt.Errorf("the stream broke off after %d tokens: %w", result.Tokens, err)
	}
	return Result{}, fmt.Errorf("the stream broke off after %d tokens, before its end mark", result.Tokens)
}

func (e event) thinks() bool {
	for _, choice := range e.Choices {
		if choice.Delta.Reasoning != "" || choice.Delta.ReasoningContent != "" {
			return true
		}
	}
	return false
}

func (e event) answers() bool {
	return slices.ContainsFunc(e.Choices, func(c choice) bool { return c.Delta.Content != "" })
}

func (r *Result) add(e event, text *strings.Builder, started time.Time) {
	if r.Begin == 0 && (e.thinks() || e.answers()) {
		r.Begin = time.Since(started)
	}
	for _, choice := range e.Choices {
		if choice.Delta.Content == "" {
			continue
		}
		if text.Len() == 0 {
			r.FirstToken = time.Since(started)
		}
		text.WriteString(choice.Delta.Content)
		r.Tokens++
	}
	if e.Usage != nil && e.Usage.CompletionTokens > 0 {
		r.Tokens, r.PromptTokens = e.Usage.CompletionTokens, e.Usage.PromptTokens
	}
}

func finish(result Result, text string, thinks bool, started time.Time) (Result, error) {
	result.Text = text
	result.Total = time.Since(started)
	switch {
	case text == "" && thinks:
		return result, ErrReasoning
	case text == "":
		return Result{}, errors.New("the stream ended without a single token")
	}
	return result, nil
}
