package localaitest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"
)

const (
	// firstCooldown is how long LocalAI refuses to load a model after a failure; it
	// doubles with each further one (LOCALAI_MODEL_LOAD_FAILURE_COOLDOWN).
	firstCooldown = 10 * time.Second
	maxCooldown   = 5 * time.Minute
)

// loader tracks which models are loaded and which failed.
type loader struct {
	engine Engine

	mu       sync.Mutex
	loaded   []string
	failures map[string]failure
}

type failure struct {
	cooldown time.Duration
	until    time.Time
}

func newLoader(engine Engine) *loader {
	return &loader{engine: engine, failures: map[string]failure{}}
}

// Preload loads models before the first request asks for them.
func (h *Handler) Preload(ctx context.Context, names []string) error {
	for _, name := range names {
		model, failed := h.model(name)
		if failed != nil {
			return failed
		}
		if failed := h.loader.load(ctx, model); failed != nil {
			return failed
		}
	}
	return nil
}

// load loads the model. One request loads at a time; the others wait for it.
func (l *loader) load(ctx context.Context, model Model) *httpError {
	l.mu.Lock()
	defer l.mu.Unlock()
	failed := l.failures[model.Name]
	if remaining := time.Until(failed.until); remaining > 0 {
		return inCooldown(model.Name, remaining)
	}
	err := l.engine.Load(ctx, model)
	var call *CallError
	switch {
	case err == nil:
		delete(l.failures, model.Name)
		if !slices.Contains(l.loaded, model.Name) {
			l.loaded = append(l.loaded, model.Name)
		}
		return nil
	case errors.As(err, &call):
		return &httpError{Status: http.StatusInternalServerError, Message: call.Message}
	}
	failed.cooldown = min(max(2*failed.cooldown, firstCooldown), maxCooldown)
	failed.until = time.Now().Add(failed.cooldown)
	l.failures[model.Name] = failed
	return &httpError{Status: http.StatusInternalServerError, Message: err.Error()}
}

func inCooldown(name string, remaining time.Duration) *httpError {
	seconds := int((remaining + time.Second - 1) / time.Second)
	return &httpError{
		Status:     http.StatusServiceUnavailable,
		Message:    fmt.Sprintf("model %q load is in cooldown after a recent failure; retry after %ds", name, seconds),
		RetryAfter: seconds,
	}
}

// unload stops the backend of a loaded model, and reports whether the model was loaded.
func (l *loader) unload(model Model) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := slices.Index(l.loaded, model.Name)
	if i < 0 {
		return false
	}
	l.engine.Unload(model)
	l.loaded = slices.Delete(l.loaded, i, i+1)
	return true
}

// loadedNames returns what /system shows. Like LocalAI it does not notice a dead backend.
func (l *loader) loadedNames() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.loaded)
}
