package localai

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/goldentest"
)

var (
	config = Config{
		ModelID: appliance.ModelID, ContextSize: 32768, CacheRAM: 8192, Threads: 16, APIKey: "0123456789abcdef",
		ChatTemplateFile: appliance.ChatTemplateFile,
		Sampling:         appliance.Sampling{Temperature: 0.15, TopP: 0.95, TopK: -1, MinP: 0.01, RepeatPenalty: 1},
	}
	// small is for a machine with little memory, and a model whose chat template is good as it is.
	small = Config{
		ModelID: "qwen2.5-coder-7b", ContextSize: 8448, CacheType: "q8_0", CacheRAM: 13, Threads: 4, APIKey: "0123456789abcdef",
		Sampling: appliance.Sampling{Temperature: 0.7, TopP: 0.8, TopK: 20, RepeatPenalty: 1.05},
	}
)

func TestRendered(t *testing.T) {
	for name, got := range map[string][]byte{
		"local-ai.env": config.Environment(), "model.yaml": config.ModelFile(), "small.yaml": small.ModelFile(), "local-ai.service": Unit(),
	} {
		golden := filepath.Join("testdata", name)
		goldentest.Equal(t, golden, got, name)
	}
}

// A rewritten golden file must still contain these lines.
func TestRequiredLines(t *testing.T) {
	for name, promises := range map[string]struct {
		text  []byte
		lines map[string]string
	}{
		"the unit": {Unit(), map[string]string{
			"User=" + appliance.ServiceUser: "it is not root",
			"OOMScoreAdjust=-500":           "the kernel kills others first",
			"Restart=always":                "it comes back, after a SIGTERM too",
			"RestartSec=2":                  "it comes back soon",
			"StartLimitIntervalSec=0":       "it never gives up",
			"TimeoutStartSec=infinity":      "a slow disk has its time",
			"ExecCondition=" + appliance.AgentPath + " check-model": "what is wrong with the model is said once",
			"UMask=0077":               "its files are its own",
			"IPAddressDeny=any":        "it talks to nobody",
			"IPAddressAllow=localhost": "but to nginx",
			"NoNewPrivileges=yes":      "it stays what it is",
			"ProtectSystem=strict":     "it writes in one place",
			"LimitSTACK=1G":            "one request does not end the engine",
		}},
		"the environment": {config.Environment(), map[string]string{
			"LOCALAI_LOAD_TO_MEMORY=" + appliance.ModelID: "the port opens once the model is loaded",
			"GOMP_SPINCOUNT=10000":                        "cores may be shared",
			"GLIBC_TUNABLES=glibc.malloc.hugetlb=1":       "prompts are read faster",
			"LOCALAI_GALLERIES=[]":                        "no network",
			"LOCALAI_BACKEND_GALLERIES=[]":                "no network",
			"LOCALAI_AUTOLOAD_GALLERIES=false":            "no network",
			"LOCALAI_AUTOLOAD_BACKEND_GALLERIES=false":    "no network",
			"LOCALAI_DISABLE_WEBUI=true":                  "nothing but inference",
			"LOCALAI_DISABLE_AGENTS=true":                 "nothing but inference",
			"LOCALAI_DISABLE_ASSISTANT=true":              "nothing but inference",
			"LOCALAI_DISABLE_MCP=true":                    "nothing but inference",
			"LOCALAI_DISABLE_GALLERY_ENDPOINT=true":       "nothing but inference",
			"LOCALAI_DISABLE_RUNTIME_SETTINGS=true":       "nothing but inference",
			"LOCALAI_DISABLE_HTTP_COMPRESSION=true":       "tokens are not held back",
			"LOCALAI_ADDRESS=" + appliance.LocalAIAddress: "nobody reaches it but nginx",
		}},
		"the model file": {config.ModelFile(), map[string]string{
			"  - spec_type:ngram-mod":        "repeated text comes faster",
			"  - parallel:1":                 "a conversation has the engine to itself",
			"  use_tokenizer_template: true": "the model's own chat template",
			`flash_attention: "on"`:          "buffers do not grow with the context",
			"  - slot_prompt_similarity:0.0": "two sessions of one client keep their states",
			"  - cache_reuse:0":              "nothing is left of a text that was taken out of a prompt",
			`    - key: "(?s).*"`:            "JSON in an answer is no tool call",
			`  - "--chat-template-file:` + appliance.ChatTemplateFile + `"`: "agents are not refused",
			"mmap: true":    "the kernel can take the file's memory back",
			"mmlock: false": "the kernel can take the file's memory back",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			lines := strings.Split(string(promises.text), "\n")
			for line, why := range promises.lines {
				assert.Contains(t, lines, line, why)
			}
		})
	}
}

// An id that YAML would read as a number or a boolean must stay a string.
func TestTheModelFileIsYAML(t *testing.T) {
	for _, id := range []string{appliance.ModelID, "123", "true", "1e3", "no", "a.b_c-d"} {
		var model struct {
			Name       string
			Parameters struct{ Model string }
			Context    int `yaml:"context_size"`
			Threads    int
			Options    []string
		}
		c := config
		c.ModelID = id
		require.NoError(t, yaml.Unmarshal(c.ModelFile(), &model))
		assert.Equal(t, id, model.Name)
		assert.Equal(t, appliance.ModelFile, model.Parameters.Model)
		assert.Equal(t, 32768, model.Context)
		assert.Equal(t, 16, model.Threads)
		assert.Contains(t, model.Options, "threads_batch:16")
		assert.Contains(t, model.Options, "--chat-template-file:"+appliance.ChatTemplateFile)
	}
}

func TestSystemdAcceptsTheUnit(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	require.NoError(t, err, "systemd-analyze is missing: run make setup")
	root := t.TempDir()
	install := func(path, content string, mode os.FileMode) {
		path = filepath.Join(root, path)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(content), mode))
	}
	install(appliance.LocalAIBinary, "#!/bin/sh\n", 0o755)
	install(appliance.AgentPath, "#!/bin/sh\n", 0o755)
	for _, target := range []string{"sysinit", "basic", "network", "multi-user", "shutdown"} {
		install(appliance.UnitDir+"/"+target+".target", "[Unit]\n", 0o644)
	}
	install(appliance.UnitDir+"/-.mount", "[Mount]\nWhat=/dev/vda\nWhere=/\n", 0o644)
	install(appliance.UnitDir+"/"+appliance.LocalAIUnit, string(Unit()), 0o644)
	out, err := exec.Command(analyze, "--root="+root, "verify", appliance.LocalAIUnit).CombinedOutput()
	assert.NoError(t, err, string(out))
	for line := range strings.Lines(string(out)) {
		assert.NotContains(t, line, appliance.LocalAIUnit, "systemd reports a mistake")
	}
}

// The exposure level of systemd-analyze security: 0 is fully sandboxed, 10 unrestricted.
func TestTheUnitIsSandboxed(t *testing.T) {
	const threshold = "25" // that is 2.5
	path := filepath.Join(t.TempDir(), appliance.LocalAIUnit)
	require.NoError(t, os.WriteFile(path, Unit(), 0o644))
	out, err := exec.Command("systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold="+threshold, path).CombinedOutput()
	assert.NoError(t, err, string(out))
	assert.Contains(t, string(out), "Overall exposure level for "+appliance.LocalAIUnit)
}

func TestKeyInUse(t *testing.T) {
	config := Config{APIKey: "0123456789abcdef"}
	assert.Equal(t, config.APIKey, KeyInUse(config.Environment()))
	for _, environment := range []string{"", "\x00\xff", "LOCALAI_API_KEY=\n", "# LOCALAI_API_KEY=0123\n", "LOCALAI_API_KEY=a b\n"} {
		assert.Empty(t, KeyInUse([]byte(environment)), environment)
	}
}

// What a model file leaves out LocalAI takes from its own table, by the model's name: zeros count too.
func TestTheModelFileHasAllOfTheSampling(t *testing.T) {
	for name, sampling := range map[string]appliance.Sampling{
		"of a maker": {Temperature: 0.7, TopP: 0.8, TopK: 20, MinP: 0.01, RepeatPenalty: 1.05},
		"greedy":     {TopP: 1, TopK: -1, RepeatPenalty: 1},
		"neutral":    appliance.NeutralSampling(),
	} {
		t.Run(name, func(t *testing.T) {
			var file struct{ Parameters map[string]any }
			require.NoError(t, yaml.Unmarshal(Config{ModelID: "qwen2.5-coder-7b", Sampling: sampling}.ModelFile(), &file))
			for key, want := range map[string]float64{
				"temperature": sampling.Temperature, "top_p": sampling.TopP, "top_k": float64(sampling.TopK),
				"min_p": sampling.MinP, "repeat_penalty": sampling.RepeatPenalty,
			} {
				require.Contains(t, file.Parameters, key)
				assert.EqualValues(t, want, file.Parameters[key], key)
			}
			_, looksBack := file.Parameters["repeat_last_n"]
			assert.Equal(t, sampling.RepeatPenalty != 1, looksBack, "a penalty that looks at no token is none")
		})
	}
}
