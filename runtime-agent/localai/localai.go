// Package localai renders what LocalAI needs: its environment, its model file and its unit.
package localai

import (
	"bytes"
	"embed"
	"regexp"
	"strconv"
	"text/template"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/model/fit"
)

// Config is what differs between two virtual machines.
type Config struct {
	ModelID string
	// ContextSize is in tokens.
	ContextSize int
	// CacheType is how the KV cache is stored, such as "q8_0"; empty is the engine's f16.
	CacheType string
	// CacheRAM is the size of the prompt cache in MiB; 0 is none.
	CacheRAM int
	// ChatTemplateFile is used in place of the chat template in the model's file; empty is that.
	ChatTemplateFile string
	// Threads is never 0: LocalAI counts cores by CPUID and may find only one.
	Threads int
	// Sampling is for requests that do not set their own.
	Sampling appliance.Sampling
	// APIKey is LocalAI's own key, which is never sent to clients.
	APIKey string
}

//go:embed *.tmpl
var sources embed.FS

var templates = template.Must(template.New("").Option("missingkey=error").ParseFS(sources, "*.tmpl"))

// TempDir is where the backend writes its own log. The unit mounts a small tmpfs there, which
// only the service sees.
const TempDir = appliance.LocalAIStateDir + "/tmp"

// Secrets matches the secrets in the environment file.
var Secrets = regexp.MustCompile(`(?m)^LOCALAI_API_KEY=.*$`)

var keyInUse = regexp.MustCompile(`(?m)^LOCALAI_API_KEY=(\S+)$`)

// KeyInUse returns the key that an environment file contains, "" if it has none.
func KeyInUse(environment []byte) string {
	if found := keyInUse.FindSubmatch(environment); found != nil {
		return string(found[1])
	}
	return ""
}

// Environment returns the environment file. LocalAI reads its whole configuration from it.
func (c Config) Environment() []byte { return c.render("local-ai.env.tmpl") }

// ModelFile returns the YAML file of the model.
func (c Config) ModelFile() []byte { return c.render("model.yaml.tmpl") }

// Unit returns the systemd unit. It is the same on every virtual machine.
func Unit() []byte { return Config{}.render("local-ai.service.tmpl") }

func (c Config) render(name string) []byte {
	view := map[string]any{
		"ModelID": c.ModelID, "ContextSize": c.ContextSize, "Threads": c.Threads, "APIKey": c.APIKey,
		"CacheType": c.CacheType, "CacheRAM": c.CacheRAM, "ChatTemplateFile": c.ChatTemplateFile, "Batch": fit.Batch,
		"Sampling": c.Sampling, "Checkpoints": fit.Checkpoints, "Draft": fit.Draft, "Slots": appliance.EngineSlots,
		"QuotedModelID": strconv.Quote(c.ModelID), "ModelFile": appliance.ModelFile,
		"Address": appliance.LocalAIAddress, "ModelConfigDir": appliance.ModelConfigDir,
		"BackendsDir": appliance.BackendsDir, "Backend": appliance.BackendName,
		"StateDir": appliance.LocalAIStateDir, "TempDir": TempDir,
		"Binary": appliance.LocalAIBinary, "EnvFile": appliance.LocalAIEnvFile,
		"User": appliance.ServiceUser, "Group": appliance.ServiceGroup,
		"ConfigureUnit": appliance.ConfigureUnit, "AgentPath": appliance.AgentPath,
	}
	var out bytes.Buffer
	if err := templates.ExecuteTemplate(&out, name, view); err != nil {
		panic(err) // a mistake in the template: it has no input that could cause one
	}
	return out.Bytes()
}
