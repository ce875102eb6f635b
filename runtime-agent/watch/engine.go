package watch

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

const (
	// answersLimit is for a route that computes nothing.
	answersLimit = 5 * time.Second
	// unloadLimit: LocalAI waits up to 30 s for running calls, and then up to 15 s for the
	// process (v4.9.0).
	unloadLimit = time.Minute
	// loadLimit is enough for 14 GiB from a slow disk.
	loadLimit = 15 * time.Minute
	// askLimit is generous for one token of an empty context.
	askLimit    = 2 * time.Minute
	askAttempts = 5
	// maxAnswer is how much of an answer is read, in bytes.
	maxAnswer = 4096
)

// Engine is LocalAI, reached without nginx, which answers 503 meanwhile.
type Engine struct {
	// URL is scheme, host and port.
	URL string
	// Model returns the id of the model, Key LocalAI's own key. They are called each time, because
	// both may change.
	Model, Key func() (string, error)
}

// answers reports whether the port is open. LocalAI opens it when the model is loaded, and
// this route does not depend on the backend.
func (e Engine) answers(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, answersLimit)
	defer cancel()
	return e.call(ctx, http.MethodGet, "/readyz", nil) == nil
}

// reload has LocalAI unload the dead backend and start another, and checks that it answers.
func (e Engine) reload(ctx context.Context) error {
	id, err := e.Model()
	if err != nil {
		return err
	}
	model := map[string]any{"model": id}
	if err := e.post(ctx, unloadLimit, "/backend/shutdown", model); err != nil && !isNotFound(err) {
		return err // "not found" means not loaded, which is as good
	}
	if err := e.post(ctx, loadLimit, "/backend/load", model); err != nil {
		return err
	}
	return e.ask(ctx, id)
}

// ask gets one token. It is not a chat: a chat template may put a thousand tokens of
// instructions before the question, which would take a minute to read. It retries after a
// failure, because a token can be part of a character, for which the backend returns an error
// (seen on v4.9.0 with a model of random weights).
func (e Engine) ask(ctx context.Context, model string) (err error) {
	question := map[string]any{"model": model, "prompt": "Hello", "max_tokens": 1}
	for range askAttempts {
		if err = e.post(ctx, askLimit, "/v1/completions", question); err == nil {
			return nil
		}
	}
	return err
}

func (e Engine) post(ctx context.Context, limit time.Duration, path string, body any) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return e.call(ctx, http.MethodPost, path, body)
}

// statusError is an answer whose status is not 200.
type statusError struct {
	path   string
	status int
	body   string
}

func (e *statusError) Error() string {
	return fmt.Sprintf("LocalAI answers %s with %d: %s", e.path, e.status, e.body)
}

func isNotFound(err error) bool {
	var answer *statusError
	return errors.As(err, &answer) && answer.status == http.StatusNotFound
}

func (e Engine) call(ctx context.Context, method, path string, body any) error {
	key, err := e.Key()
	if err != nil {
		return fmt.Errorf("read LocalAI's key: %w", err)
	}
	encoded, err := json.Marshal(body)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, method, e.URL+path, bytes.NewReader(encoded))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Authorization", "Bearer "+key)
	// LocalAI may be a new process at the next call: no connection is kept.
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if response.StatusCode != http.StatusOK {
		return &statusError{path, response.StatusCode, strings.TrimSpace(string(text))}
	}
	return err
}
