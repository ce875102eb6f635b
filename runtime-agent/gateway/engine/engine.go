// Package engine asks LocalAI, and puts right what it says before anybody else sees it.
package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/failure"
)

// The paths of LocalAI that the gateway asks.
const (
	PathChat        = "/v1/chat/completions"
	PathCompletions = "/v1/completions"
	PathTokenize    = "/v1/tokenize"
	PathReadyz      = "/readyz"
)

// maxPage is how much of a page is read, in bytes: a token of a list takes seven.
const maxPage = 16 << 20

// maxRefusal is how much of the body of an error is read, in bytes.
const maxRefusal = 64 << 10

// idleTimeout ends connections of a configuration that is no longer in force, too.
const idleTimeout = 30 * time.Second

// pageTimeout is for what computes nothing.
const pageTimeout = 10 * time.Second

// connectTimeout is for the loopback address: a listening engine accepts at once.
const connectTimeout = 5 * time.Second

// Engine is LocalAI at an address.
type Engine struct {
	// Address is host and port, Key LocalAI's own key.
	Address, Key string
	// ContextSize is how many tokens prompt and answer have together.
	ContextSize int

	client *http.Client
}

// New returns the engine at an address.
func New(address, key string, contextSize int) *Engine {
	dialer := net.Dialer{Timeout: connectTimeout}
	return &Engine{Address: address, Key: key, ContextSize: contextSize, client: &http.Client{
		Transport: &http.Transport{DialContext: dialer.DialContext, DisableCompression: true, MaxIdleConnsPerHost: 4, IdleConnTimeout: idleTimeout},
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		},
	}}
}

// Question is a request for an answer that is streamed.
type Question struct {
	// Path is PathChat or PathCompletions.
	Path string
	// Body returns the request in JSON from its beginning, Length is its size in bytes.
	Body   func() io.Reader
	Length int64
	// RequestID ties the logs of nginx, gateway and engine together.
	RequestID string
	// Usage is true if the client wants the event with the numbers of tokens.
	Usage bool
}

// Ask sends the question. LocalAI answers only once it has read the prompt, which may take many
// minutes; the answer is then read with Stream.Next. The error is a *failure.Error, unless ctx is
// over.
func (e *Engine) Ask(ctx context.Context, q Question) (*Stream, error) {
	request, err := e.request(ctx, http.MethodPost, q.Path, q.Body())
	if err != nil {
		return nil, err
	}
	request.ContentLength = q.Length
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("X-Request-Id", q.RequestID)
	response, err := e.client.Do(request)
	if err != nil {
		return nil, notReached(ctx, err)
	}
	if response.StatusCode != http.StatusOK {
		return nil, e.refused(response)
	}
	return newStream(response.Body, e.ContextSize, q.Usage), nil
}

// Get returns the status and the text of a page of the engine.
func (e *Engine) Get(ctx context.Context, path string) (status int, text []byte, err error) {
	return e.page(ctx, http.MethodGet, path, nil)
}

// CountTokens has the engine count the tokens of a text, which it does while it answers, too.
// Measured on a busy machine: 0.2 s for 50 KB.
func (e *Engine) CountTokens(ctx context.Context, model, text string) (int, error) {
	asked, _ := json.Marshal(map[string]string{"model": model, "content": text}) // strings can always be encoded
	status, body, err := e.page(ctx, http.MethodPost, PathTokenize, bytes.NewReader(asked))
	if err != nil {
		return 0, err
	}
	var said struct {
		Tokens []int `json:"tokens"`
	}
	if err := json.Unmarshal(body, &said); err != nil || status != http.StatusOK {
		return 0, failure.OfEngine(status, body)
	}
	return len(said.Tokens), nil
}

func (e *Engine) page(ctx context.Context, method, path string, asked io.Reader) (status int, text []byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, pageTimeout)
	defer cancel()
	request, err := e.request(ctx, method, path, asked)
	if err != nil {
		return 0, nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := e.client.Do(request)
	if err != nil {
		return 0, nil, failure.Unavailable(err)
	}
	defer response.Body.Close()
	if text, err = io.ReadAll(io.LimitReader(response.Body, maxPage)); err != nil {
		return 0, nil, failure.Unavailable(err)
	}
	return response.StatusCode, text, nil
}

func (e *Engine) request(ctx context.Context, method, path string, body io.Reader) (*http.Request, error) {
	request, err := http.NewRequestWithContext(ctx, method, "http://"+e.Address+path, body)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+e.Key)
	return request, nil
}

// Close ends connections that are not in use.
func (e *Engine) Close() { e.client.CloseIdleConnections() }

// notReached is for an engine that does not listen, which is so while it loads the model, or that
// ends before it has said anything.
func notReached(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return failure.Unavailable(err)
}

// refused reads the error that the engine gives instead of an answer.
func (e *Engine) refused(response *http.Response) error {
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxRefusal))
	if err != nil {
		return failure.Unavailable(err)
	}
	failed := failure.OfEngine(response.StatusCode, body)
	if seconds, err := strconv.Atoi(response.Header.Get("Retry-After")); err == nil && seconds > 0 {
		failed.RetryAfter = time.Duration(seconds) * time.Second
	}
	return failed
}

// As returns the failure that err is, or one that says that the appliance could not go on.
func As(err error) *failure.Error {
	var failed *failure.Error
	if errors.As(err, &failed) {
		return failed
	}
	return failure.Internal(err)
}
