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
	// unloadLimit: LocalAI waits up to 30 s for calls that run, and then up to 15 s for
	// the process (v4.9.0).
	unloadLimit = time.Minute
	// loadLimit bounds what has no natural bound: 14 GiB from a slow disk.
	loadLimit = 15 * time.Minute
	// askLimit is generous for one token of an empty context.
	askLimit    = 2 * time.Minute
	askAttempts = 5
	// maxAnswer bounds what is read of an answer, in bytes.
	maxAnswer = 4096
)

// Engine is LocalAI, asked without nginx in between, which is closed meanwhile.
type Engine struct {
	// URL is scheme, host and port.
	URL string
	// Model is the id of the model.
	Model string
	// Key gives LocalAI's own key; it is asked each time, for the key may change.
	Key func() (string, error)
}

// answers says whether the port is open. LocalAI opens it when the model is loaded, and
// this route says nothing about the backend.
func (e Engine) answers(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, answersLimit)
	defer cancel()
	return e.call(ctx, http.MethodGet, "/readyz", nil) == nil
}

// reload has LocalAI forget the dead backend and start another, and proves it.
func (e Engine) reload(ctx context.Context) error {
	model := map[string]any{"model": e.Model}
	if err := e.post(ctx, unloadLimit, "/backend/shutdown", model); err != nil && !isNotFound(err) {
		return err // not found is: not loaded, which is as good
	}
	if err := e.post(ctx, loadLimit, "/backend/load", model); err != nil {
		return err
	}
	return e.ask(ctx)
}

// ask gets one token. It is not a chat: the template of a chat may put a thousand tokens of
// instructions before the question, which would take a minute to read. It is asked again if
// it failed, because a token can be a part of a character, which the backend answers with an
// error (seen on v4.9.0 with a model of random weights).
func (e Engine) ask(ctx context.Context) (err error) {
	question := map[string]any{"model": e.Model, "prompt": "Hello", "max_tokens": 1}
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

// statusError is an answer that is not a success.
type statusError struct {
	path   string
	status int
	body   string
}

func (e *statusError) Error() string {
	return fmt.Sprintf("%s of LocalAI answers %d: %s", e.path, e.status, e.body)
}

func isNotFound(err error) bool {
	var answer *statusError
	return errors.As(err, &answer) && answer.status == http.StatusNotFound
}

func (e Engine) call(ctx context.Context, method, path string, body any) error {
	key, err := e.Key()
	if err != nil {
		return fmt.Errorf("find the key of LocalAI: %w", err)
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
	// LocalAI may be another process at the next call: no connection is kept.
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
