package localaitest

import (
	"context"
	"time"
)

// Model is one model the server knows.
type Model struct {
	// Name is the id clients send as "model".
	Name string
	// File is the file of the weights, relative to the models directory.
	File string
	// ContextSize is the number of tokens of prompt and answer together.
	ContextSize int
	// MaxConcurrent is the number of requests admitted at once, 0 for all of them, and
	// RetryAfterSeconds what the others are told.
	MaxConcurrent     int
	RetryAfterSeconds int
}

// Options say how the server behaves. The zero value is a server with the model
// "devstral-small-2", no API key, and LocalAI's defaults for everything else.
type Options struct {
	// Models in the order they were found; the first answers requests that name none.
	// Empty but not nil is a server without models.
	Models []Model
	// Keys are the API keys. With none, everybody is let in.
	Keys []string
	// AllowOrigins are the only origins CORS admits; empty means every origin, which is
	// LocalAI's default.
	AllowOrigins []string
	// DisableMetrics removes /metrics.
	DisableMetrics bool
	// OpaqueErrors leaves out the body of a 401.
	OpaqueErrors bool
	// FirstTokenDelay stands for reading the prompt. LocalAI sends no byte, not even the
	// response head, before the first token.
	FirstTokenDelay time.Duration
	// TokenDelay passes before every further token.
	TokenDelay time.Duration
	// Engine is what loads models and can fail; nil never fails.
	Engine Engine
}

// Engine is what stands behind the HTTP side. LocalAI keeps one backend process per
// model there.
type Engine interface {
	// Backends lists the names of the installed backends.
	Backends() []string
	// Load makes model ready, or returns at once if it already is. Loading that failed
	// is not tried again before a cooldown is over, unless the error is a CallError.
	Load(ctx context.Context, model Model) error
	// Check says whether the backend of a loaded model still answers. It is asked
	// before every token.
	Check(model Model) error
	// Unload ends what Load started, dead or alive. It is asked for loaded models only.
	Unload(model Model)
}

// CallError is the failure of a call to a backend that was loaded before.
type CallError struct{ Message string }

func (e *CallError) Error() string { return e.Message }

// alwaysReady is the engine of a server that was given none.
type alwaysReady struct{}

func (alwaysReady) Backends() []string                { return []string{backendName} }
func (alwaysReady) Load(context.Context, Model) error { return nil }
func (alwaysReady) Check(Model) error                 { return nil }
func (alwaysReady) Unload(Model)                      {}

const (
	// backendName is what LocalAI calls the backend of every model here.
	backendName = "llama-cpp"
	// defaultContextSize is the context of a model that names none (LOCALAI_CONTEXT_SIZE
	// is unset too); LocalAI takes what the model was trained with.
	defaultContextSize = 32768
)

func (o Options) withDefaults() Options {
	if o.Models == nil {
		o.Models = []Model{{Name: "devstral-small-2"}}
	}
	models := make([]Model, len(o.Models))
	for i, model := range o.Models {
		if model.ContextSize == 0 {
			model.ContextSize = defaultContextSize
		}
		models[i] = model
	}
	o.Models = models
	if o.Engine == nil {
		o.Engine = alwaysReady{}
	}
	return o
}
