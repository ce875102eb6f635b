package plan

import (
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/goldentest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/model/fit"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/model/gguf"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/certs"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/history"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/machine"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/status"
)

func input() Input {
	return Input{
		Settings:  appliance.Settings{ContextSize: 32768, Keys: []appliance.NamedKey{{Name: "alice", Key: "her-own-key"}}},
		Context:   map[string]string{appliance.VarPassword: "the-password", appliance.VarKeys: "alice:her-own-key", "ETH0_IP": "192.0.2.7"},
		Baked:     appliance.Baked{BakedModel: appliance.BakedModel{ModelID: "a-model"}},
		Facts:     machine.Facts{Threads: 4, IPv6: true, BootID: "boot-1"},
		Fit:       fit.Result{ContextSize: 8448, CacheType: "q8_0", CacheRAM: 13, CacheTokens: 512},
		Password:  "the-password",
		EngineKey: "the-engine-key",
		TLS: certs.Chosen{
			Own:    certs.Material{RootCert: []byte("root cert\n"), RootKey: []byte("root key\n"), Leaf: []byte("leaf\n")},
			Source: status.SourceOwn, Served: []byte("leaf\n"),
		},
	}
}

// The golden file lists every path; the long files have their own golden files where they are
// rendered.
func TestPlan(t *testing.T) {
	const golden = "testdata/plan.txt"
	got := describe(Make(input()))
	goldentest.Equal(t, golden, got)
}

// The file and the option that names it come together, and LocalAI is restarted for it.
func TestARelaxedChatTemplateIsPlannedForAModelThatNeedsIt(t *testing.T) {
	option := "--chat-template-file:" + appliance.ChatTemplateFile
	in := input()
	assert.NotContains(t, string(entry(t, Make(in), appliance.ModelConfigDir+"/model.yaml").Content), option)
	assert.NotContains(t, describe(Make(in)), appliance.ChatTemplateFile)

	in.ChatTemplate = "[SYSTEM_PROMPT]{{- raise_exception('conversation roles must alternate') }}"
	assert.Contains(t, string(entry(t, Make(in), appliance.ModelConfigDir+"/model.yaml").Content), option)
	template := entry(t, Make(in), appliance.ChatTemplateFile)
	assert.Equal(t, "[SYSTEM_PROMPT]{{- '' }}", string(template.Content))
	assert.Equal(t, fs.FileMode(0o644), template.Mode, "LocalAI's user reads it")
	assert.Contains(t, template.Units, appliance.LocalAIUnit)
}

// entry returns what is planned for a path.
func entry(t *testing.T, p Plan, path string) Entry {
	t.Helper()
	for _, e := range p.Rest {
		if e.Path == path {
			return e
		}
	}
	require.FailNow(t, "nothing is planned for "+path)
	return Entry{}
}

func describe(p Plan) string {
	var out strings.Builder
	for _, d := range p.Directories {
		fmt.Fprintf(&out, "directory %s %s %s\n", d.Path, d.Mode, d.Owner)
	}
	for _, group := range []struct {
		name    string
		entries []Entry
	}{{"proxy", p.Proxy}, {"rest", p.Rest}} {
		for _, e := range group.entries {
			fmt.Fprintf(&out, "%s %s %s %q", group.name, e.Path, e.Mode, e.Units)
			switch {
			case e.LinkTo != "":
				fmt.Fprintf(&out, " -> %s\n", e.LinkTo)
			case len(e.Content) < 200:
				fmt.Fprintf(&out, "\n%s", e.Content)
			default:
				fmt.Fprintln(&out)
			}
		}
	}
	return out.String()
}

func TestSecretsAreOnlyInFilesOfRoot(t *testing.T) {
	p := Make(input())
	found := map[string]bool{}
	for _, e := range append(p.Proxy, p.Rest...) {
		for _, secret := range []string{"the-password", "the-engine-key", `\x74\x68\x65\x2d\x70`, "her-own-key", `\x68\x65\x72\x2d\x6f`, "root key", "leaf"} {
			if strings.Contains(string(e.Content), secret) {
				found[secret] = true
				assert.Zero(t, e.Mode&fs.FileMode(0o007), "%s holds a secret", e.Path)
				require.NotNil(t, e.Hidden, e.Path)
				assert.NotContains(t, e.Hidden.ReplaceAllString(string(e.Content), "***"), secret, e.Path)
			}
		}
	}
	assert.Len(t, found, 7, "each is somewhere")
}

func TestThreads(t *testing.T) {
	in := input()
	assert.Equal(t, 4, in.Threads())
	in.Settings.Threads = 9
	assert.Equal(t, 9, in.Threads(), "the user's number wins")
	in.Settings.Threads, in.Facts.Threads = 0, 0
	assert.Equal(t, 1, in.Threads(), "never 0: LocalAI would count by itself")
}

func TestWithoutAContextTheLastGoodOneStays(t *testing.T) {
	in := input()
	in.Context = nil
	assert.Len(t, Make(in).Rest, len(Make(input()).Rest)-2, "neither the context nor its token")
}

func TestTheEngineGetsWhatFits(t *testing.T) {
	files := map[string]string{}
	for _, e := range Make(input()).Rest {
		files[e.Path] = string(e.Content)
	}
	model := files[appliance.ModelConfigDir+"/"+modelFileName]
	for _, line := range []string{"context_size: 8448\n", "cache_type_k: q8_0\n", "cache_type_v: q8_0\n", "cache_ram:13\n"} {
		assert.Contains(t, model, line)
	}
	assert.Contains(t, files[appliance.LocalAIEnvFile], "LOCALAI_CONTEXT_SIZE=8448\n")
}

// The gateway goes by the template that the engine uses, which is not always the model's own.
func TestTheGatewayGetsWhatTheEngineHas(t *testing.T) {
	in := input()
	in.ModelTime = time.Unix(1795376243, 0)
	in.FIM = gguf.FIM{Prefix: "<|fim_prefix|>", Suffix: "<|fim_suffix|>", Middle: "<|fim_middle|>", Ends: []string{"<|im_end|>"}}
	in.Settings.ReadTimeout, in.Settings.WarmUp, in.Settings.StablePrompts = 30*time.Minute, true, true
	const refuses = "tools reasoning_content [SYSTEM_PROMPT]{{- raise_exception('conversation roles must alternate') }}"
	for template, rules := range map[string]history.Rules{
		refuses: {}, // it is relaxed
		strings.ReplaceAll(refuses, "[SYSTEM_PROMPT]", ""): {Alternate: true, SystemFirst: true, User: true, CallFirst: true},
	} {
		in.ChatTemplate = template
		planned := entry(t, Make(in), appliance.GatewayConfigFile)
		assert.Equal(t, []string{appliance.GatewayUnit}, planned.Units, "neither engine nor bootstrap need restart")
		assert.Equal(t, fs.FileMode(0o644), planned.Mode, "the gateway's account reads it")
		config, err := gateway.ParseConfig(planned.Content)
		require.NoError(t, err)
		assert.Equal(t, &gateway.Config{
			Appliance: "slm-copilot/unknown LocalAI/unknown a-model/unknown",
			Model:     "a-model", Created: 1795376243, ContextSize: 8448, Slots: 1, CacheTokens: 512,
			WarmUp: true, Beginnings: "/var/lib/slm-copilot/gateway/beginnings.json", StablePrompts: true, Engine: "127.0.0.1:8080", ReadTimeout: 1800, Keys: []string{"alice"}, History: rules, FIM: in.FIM,
		}, config)
	}
}

// The image says how its model is sampled; one that does not is sampled as llama.cpp does.
func TestTheEngineSamplesAsTheImageSays(t *testing.T) {
	in := input()
	model := func() string {
		return string(entry(t, Make(in), appliance.ModelConfigDir+"/model.yaml").Content)
	}
	assert.Contains(t, model(), "  temperature: 0.8\n  top_p: 0.95\n")
	in.Baked.Sampling = appliance.Sampling{Temperature: 0.7, TopP: 0.8, TopK: 20, RepeatPenalty: 1.05}
	assert.Contains(t, model(), "  temperature: 0.7\n  top_p: 0.8\n")
	assert.Contains(t, model(), "  top_k: 20\n  min_p: 0\n  repeat_penalty: 1.05\n")
}
