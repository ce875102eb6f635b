package app

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/goldentest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/manifest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/model/catalogue"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/storedtext"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/lockfile"
)

func withDevstral() manifest.Manifest {
	model, _ := lockfile.Default().Find(lockfile.KindModel, "", "")
	return manifest.Manifest{
		Version: "1.0.0", Model: manifest.Model{
			ModelID: model.Name, ModelName: model.Name, ModelLicense: model.License,
			ModelSHA256: strings.TrimPrefix(model.Digest, "sha256:"), MemoryMiB: 32768,
		},
	}
}

func withWeightsOf(id string) manifest.Manifest {
	model, _ := catalogue.ByID(id)
	return manifest.Manifest{Version: "1.0.0", Model: manifest.Model{ModelID: id, ModelSHA256: strings.TrimPrefix(model.Digest, "sha256:")}}
}

// withSeveral is an image with models from Europe and from elsewhere, one of them unknown.
func withSeveral() manifest.Manifest {
	m := withDevstral()
	fast := withWeightsOf("qwen3-coder-30b-a3b").Model
	fast.MemoryMiB = 29 << 10
	m.OtherModels = []manifest.Model{fast, {ModelID: "mine", ModelName: "Mine"}}
	return m
}

// One model that is not European is enough for no claim, whatever its place.
func TestEuropeanControlIsOfAllModels(t *testing.T) {
	m := withDevstral()
	m.OtherModels = []manifest.Model{withDevstral().Model}
	assert.Contains(t, DefaultFor(m).Description, "All its models are made in Europe")
	m.OtherModels = append(m.OtherModels, withWeightsOf("qwen3-coder-30b-a3b").Model)
	assert.NotContains(t, DefaultFor(m).Description, "Europe")
	m.OtherModels = []manifest.Model{{ModelID: "mine"}}
	assert.NotContains(t, DefaultFor(m).Description, "Europe")
}

func TestTheModelIsChosenAmongThoseOfTheImage(t *testing.T) {
	template := DefaultFor(withSeveral()).VMTemplate("x86_64")
	assert.Equal(t, "O|list|Model to serve, of those that the appliance contains. Empty for the first one.|devstral-small-2,qwen3-coder-30b-a3b,mine|devstral-small-2",
		template.Vectors["USER_INPUTS"][0]["ONEAPP_COPILOT_MODEL_NAME"])
	assert.Equal(t, "$ONEAPP_COPILOT_MODEL_NAME", template.Vectors["CONTEXT"][0][appliance.VarModel])
	assert.True(t, strings.HasPrefix(template.Attributes["INPUTS_ORDER"], "ONEAPP_COPILOT_MODEL_NAME,"))
	assert.Equal(t, "32768", template.Attributes["MEMORY"], "that of the default model")

	one := DefaultFor(withDevstral()).VMTemplate("x86_64")
	assert.NotContains(t, one.Vectors["CONTEXT"][0], appliance.VarModel)
	assert.NotContains(t, one.Text(), "MODEL_NAME")
}

// European control is claimed where the maker is European, and who made the weights is said of all.
func TestEuropeanControlIsClaimedOfFewModels(t *testing.T) {
	for _, model := range catalogue.All() {
		if model.Digest == "" {
			continue
		}
		description := DefaultFor(withWeightsOf(model.ID)).Description
		assert.Contains(t, description, model.Maker)
		assert.Contains(t, description, "- "+model.Name+" (weights): "+model.License)
		assert.Equal(t, model.European, strings.Contains(description, "European control"), model.ID)
	}
}

// The manifest of a default build leads to the defaults.
func TestTheDefaultIsTheDefaultModel(t *testing.T) {
	want := Default()
	want.Version = "1.0.0"
	assert.Equal(t, want, DefaultFor(withDevstral()))
	assert.Equal(t, 16, want.CPU)
	assert.Equal(t, 16, want.VCPU)
	assert.Equal(t, 32768, want.MemoryMiB)
}

func TestDescriptionIsGolden(t *testing.T) {
	for name, m := range map[string]manifest.Manifest{
		"devstral": withDevstral(),
		"fast":     withWeightsOf("qwen3-coder-30b-a3b"),
		"other":    {Model: manifest.Model{ModelID: "qwen", ModelName: "Qwen 2.5 Coder 3B", ModelLicense: "LicenseRef-Qwen-Research"}},
		"unknown":  {},
		"several":  withSeveral(),
	} {
		t.Run(name, func(t *testing.T) {
			description := DefaultFor(m).Description
			require.NoError(t, storedtext.CheckQuoted(description))
			golden(t, "description-"+name+".md", description+"\n")
		})
	}
}

// A name is given by whoever builds; only the bytes themselves are Mistral's.
func TestNothingIsClaimedOfAnotherModel(t *testing.T) {
	for name, change := range map[string]func(*manifest.Manifest){
		"other weights under its name": func(m *manifest.Manifest) { m.ModelSHA256 = strings.Repeat("a", 64) },
		"an old manifest":              func(m *manifest.Manifest) { *m = manifest.Manifest{} },
	} {
		m := withDevstral()
		change(&m)
		description := DefaultFor(m).Description
		for _, claim := range []string{"Mistral", "France", "Europe", "Spain"} {
			assert.NotContains(t, description, claim, name)
		}
		assert.Contains(t, description, "your own infrastructure", name)
	}
}

// The sizes are those package fit gives for models of 1, 3, 8, 14 and 24 billion parameters,
// for a tiny one, and some that are no whole GiB.
func TestCapacityFollowsTheModel(t *testing.T) {
	for memory, want := range map[int][2]int{
		1 << 10: {1 << 10, 2}, 6 << 10: {6 << 10, 3}, 8 << 10: {8 << 10, 4}, 19 << 10: {19 << 10, 10},
		30 << 10: {30 << 10, 15}, 32 << 10: {32 << 10, 16}, 96 << 10: {96 << 10, 16},
		1: {1 << 10, 2}, 8<<10 + 1: {9 << 10, 5},
		0: {32 << 10, 16}, // a manifest that does not tell
	} {
		got := DefaultFor(manifest.Manifest{Model: manifest.Model{MemoryMiB: memory}})
		assert.Equal(t, want, [2]int{got.MemoryMiB, got.VCPU}, "%d MiB", memory)
		assert.Equal(t, got.VCPU, got.CPU, "%d MiB", memory)
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	goldentest.Equal(t, path, got)
}
