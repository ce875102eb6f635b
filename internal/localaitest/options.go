package localaitest

import (
	"context"
	"time"
)

// Model is one model the server knows.
type Model struct {
	// Name is the id clients send as "model".
	Name string
	// File is the weights file, relative to the models directory.
	File string
	// ContextSize is the number of tokens of prompt and answer together.
	ContextSize int
	// MaxConcurrent is the number of requests admitted at once, 0 for no limit; the others are
	// told to retry after RetryAfterSeconds.
	MaxConcurrent     int
	RetryAfterSeconds int
	// BytesPerToken is how many bytes of a prompt are a token, 0 for the one of the recorded model.
	// Reading is counted in bytes.
	BytesPerToken int
	// Template is the chat template in use.
	Template Template
	// TextIsText says that the model file leaves LocalAI nothing to look through for tool calls
	// in the text of an answer (function.replace_llm_results).
	TextIsText bool
}

// Options configure the server. The zero value is a server with the model "devstral-small-2",
// whose chat template is relaxed as in the appliance, no API key, and LocalAI's defaults for
// everything else.
type Options struct {
	// Models are in the order they were found; the first one answers requests that name none.
	// An empty slice that is not nil means a server without models.
	Models []Model
	// Keys are the API keys. Without any, every request is accepted.
	Keys []string
	// AllowOrigins are the only origins that CORS allows; empty means every origin, which is
	// LocalAI's default.
	AllowOrigins []string
	// DisableMetrics removes /metrics.
	DisableMetrics bool
	// OpaqueErrors omits the body of a 401.
	OpaqueErrors bool
	// ReadingSpeed is how many tokens of a prompt are read in a second, 0 for all at once. LocalAI
	// sends no byte, not even the response header, before the first token of the answer.
	ReadingSpeed int
	// CacheRAM is how many tokens (bytes) of prompts are kept of conversations that are not in the
	// slot, 0 for none. (LocalAI's option cache_ram is in MiB.)
	CacheRAM int
	// OnRead, unless nil, is told of each prompt when it has been read, or is read no further.
	OnRead func(Reading)
	// TokenDelay passes before every token of an answer.
	TokenDelay time.Duration
	// Engine loads models and can fail; nil never fails.
	Engine Engine
}

// Reading is what happened to one prompt.
type Reading struct {
	// Model is the name of the model.
	Model string
	// Prompt is the length of the prompt, and Read how much of it was read, both in tokens: the
	// rest was known from requests before, or the client left.
	Prompt, Read int
}

// Engine is the backend of the HTTP API. LocalAI has one backend process per model.
type Engine interface {
	// Backends lists the names of the installed backends.
	Backends() []string
	// Load makes model ready, or returns at once if it already is. A failed load is not
	// retried before a cooldown is over, unless the error is a CallError.
	Load(ctx context.Context, model Model) error
	// Check returns an error if the backend of a loaded model does not answer any more. It is
	// called before every token, and while a prompt is read at a speed.
	Check(model Model) error
	// Tokenize splits a prompt whose longest run of one letter has run bytes. It returns an error
	// if the backend dies of that.
	Tokenize(model Model, run int) error
	// Unload stops what Load started, dead or alive. It is called for loaded models only.
	Unload(model Model)
}

// CallError is the failure of a call to a backend that was loaded before.
type CallError struct{ Message string }

func (e *CallError) Error() string { return e.Message }

// alwaysReady is the default engine.
type alwaysReady struct{}

func (alwaysReady) Backends() []string                { return []string{backendName} }
func (alwaysReady) Load(context.Context, Model) error { return nil }
func (alwaysReady) Check(Model) error                 { return nil }
func (alwaysReady) Tokenize(Model, int) error         { return nil }
func (alwaysReady) Unload(Model)                      {}

const (
	// backendName is LocalAI's name for the backend of every model here.
	backendName = "llama-cpp"
	// defaultContextSize is the context of a model without a configured one
	// (LOCALAI_CONTEXT_SIZE is unset too); the real LocalAI uses what the model was trained
	// with.
	defaultContextSize = 32768
)

func (o Options) withDefaults() Options {
	if o.Models == nil {
		o.Models = []Model{{Name: "devstral-small-2", Template: Relaxed}}
	}
	models := make([]Model, len(o.Models))
	for i, model := range o.Models {
		if model.ContextSize == 0 {
			model.ContextSize = defaultContextSize
		}
		models[i] = model
	}
	o.Models = models
	if o.OnRead == nil {
		o.OnRead = func(Reading) {}
	}
	if o.Engine == nil {
		o.Engine = alwaysReady{}
	}
	return o
}
