package gateway

import (
	"encoding/json"
	"time"
)

// modelObject describes the model. Clients look for the size of the context under many names.
type modelObject struct {
	ID      string `json:"id"`
	Object  string `json:"object"`
	Created int64  `json:"created"`
	OwnedBy string `json:"owned_by"`
	// Type, DisplayName and CreatedAt are what Anthropic's API has.
	Type        string `json:"type"`
	DisplayName string `json:"display_name"`
	CreatedAt   string `json:"created_at"`
	// ContextLength is OpenRouter's name, ContextWindow Groq's, MaxModelLen vLLM's,
	// MaxContextLength Mistral's, MaxInputTokens Anthropic's; all are in tokens.
	ContextLength    int `json:"context_length"`
	ContextWindow    int `json:"context_window"`
	MaxModelLen      int `json:"max_model_len"`
	MaxContextLength int `json:"max_context_length"`
	MaxInputTokens   int `json:"max_input_tokens"`
	// Meta is what llama-server has.
	Meta modelMeta `json:"meta"`
}

type modelMeta struct {
	ContextSize int `json:"n_ctx"`
}

type modelList struct {
	Object string        `json:"object"`
	Data   []modelObject `json:"data"`
	// HasMore, FirstID and LastID are what Anthropic's API has.
	HasMore bool   `json:"has_more"`
	FirstID string `json:"first_id"`
	LastID  string `json:"last_id"`
}

func (c *Config) models() modelList {
	return modelList{Object: "list", Data: []modelObject{c.model()}, FirstID: c.Model, LastID: c.Model}
}

func (c *Config) model() modelObject {
	return modelObject{
		ID: c.Model, Object: "model", Created: c.Created, OwnedBy: "slm-copilot",
		Type: "model", DisplayName: c.Model, CreatedAt: time.Unix(c.Created, 0).UTC().Format(time.RFC3339),
		ContextLength: c.ContextSize, ContextWindow: c.ContextSize, MaxModelLen: c.ContextSize,
		MaxContextLength: c.ContextSize, MaxInputTokens: ordinary(c.ContextSize), Meta: modelMeta{c.ContextSize},
	}
}

func (r *request) serveModel(name string) {
	if name != r.Model {
		r.refuse(r.noModel(name))
		return
	}
	r.json(r.model())
}

// json answers with a value.
func (r *request) json(value any) {
	body, err := json.Marshal(value)
	if err != nil {
		panic(err) // a mistake in the program: its values can be encoded
	}
	r.send(200, body)
}
