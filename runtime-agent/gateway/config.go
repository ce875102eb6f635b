package gateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/model/gguf"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/history"
)

// Config is what differs between two appliances.
type Config struct {
	// Appliance is the value of appliance.HeaderAppliance.
	Appliance string `json:"appliance"`
	// Model is the id that clients send, Created when its file was made (Unix time).
	Model   string `json:"model"`
	Created int64  `json:"created"`
	// ContextSize is how many tokens prompt and answer have together.
	ContextSize int `json:"context_size"`
	// Slots is how many answers the engine computes at a time.
	Slots int `json:"slots"`
	// CacheTokens is how many tokens of conversations the engine keeps.
	CacheTokens int `json:"cache_tokens"`
	// Engine is the engine's host and port.
	Engine string `json:"engine"`
	// WarmUp has the engine read what the prompts of agents begin with before they ask. It is kept in
	// the file Beginnings, which is removed otherwise.
	WarmUp     bool   `json:"warm_up"`
	Beginnings string `json:"beginnings"`
	// Speed is the file with what the last benchmark has measured.
	Speed string `json:"speed,omitempty"`
	// StablePrompts moves what differs between the sessions of an agent behind what does not.
	StablePrompts bool `json:"stable_prompts"`
	// ReadTimeout, in seconds, is how long the engine may be silent.
	ReadTimeout int `json:"read_timeout"`
	// Keys are the names of the keys that nginx knows, beside the password.
	Keys []string `json:"keys,omitempty"`
	// FIM are the tokens with which the model fills in the middle, if it has any.
	FIM gguf.FIM `json:"fim,omitzero"`
	// History is what the model's chat template refuses, Vocabulary how long its tokens are.
	History    history.Rules   `json:"history"`
	Vocabulary gguf.Vocabulary `json:"vocabulary"`
}

// Render returns the configuration file.
func (c Config) Render() []byte {
	text, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		panic(err) // strings and numbers can always be encoded
	}
	return append(text, '\n')
}

// ParseConfig reads a configuration file.
func ParseConfig(text []byte) (*Config, error) {
	var c Config
	if err := json.Unmarshal(text, &c); err != nil {
		return nil, err
	}
	var missing []error
	for name, there := range map[string]bool{
		"model": c.Model != "", "engine": c.Engine != "", "context_size": c.ContextSize > 0, "slots": c.Slots > 0, "read_timeout": c.ReadTimeout > 0,
	} {
		if !there {
			missing = append(missing, fmt.Errorf("%s is missing", name))
		}
	}
	return &c, errors.Join(missing...)
}

// noKey stands for the name of whoever came without a key that is known here, such as nginx's own probe. No
// key has this name.
const noKey = "-"

// keyOf returns the name of the key with which nginx let a request through. What is not on the list is
// not known yet, or no more.
func (c *Config) keyOf(r *http.Request) string {
	name := r.Header.Get(appliance.HeaderKey)
	if name == appliance.APIUser || slices.Contains(c.Keys, name) {
		return name
	}
	return noKey
}

func (c *Config) silence() time.Duration { return time.Duration(c.ReadTimeout) * time.Second }
