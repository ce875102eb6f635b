package catalogue

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/gguftest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/goldentest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/model/fit"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/model/kvcache"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/model/weights"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/lockfile"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/sbom"
)

func named(t *testing.T, id string) Model {
	t.Helper()
	model, known := ByID(id)
	require.True(t, known, id)
	return model
}

func TestEveryFileIsAModel(t *testing.T) {
	files, err := filepath.Glob("*.hcl")
	require.NoError(t, err)
	require.Len(t, All(), len(files))
	for _, file := range files {
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		model, err := Parse(file, content)
		require.NoError(t, err)
		assert.Equal(t, named(t, model.ID), model)
		assert.NoError(t, sbom.CheckLicense(model.License))
		assert.True(t, strings.HasPrefix(string(content), "# "), "%s names no source of its numbers", file)
	}
}

func TestFindGoesByTheWeightsFirst(t *testing.T) {
	devstral := named(t, appliance.ModelID)
	sum := strings.TrimPrefix(devstral.Digest, digestPrefix)
	for name, test := range map[string]struct{ sum, id, want string }{
		"the weights, whatever they are called": {sum, "mine", "devstral-small-2"},
		"the weights before the name":           {sum, "gpt-oss-20b", "devstral-small-2"},
		"the name of other weights":             {strings.Repeat("a", 64), "gpt-oss-20b", "gpt-oss-20b"},
		"no weights, which many entries have":   {"", "unknown", ""},
		"neither":                               {strings.Repeat("a", 64), "unknown", ""},
	} {
		t.Run(name, func(t *testing.T) {
			found, known := Find(test.sum, test.id)
			assert.Equal(t, test.want, found.ID)
			assert.Equal(t, test.want != "", known)
		})
	}
	_, known := BySHA256("")
	assert.False(t, known)
}

// Of each model only its own weights count, so no two entries may have the same.
func TestNoTwoModelsHaveTheSameWeights(t *testing.T) {
	seen := map[string]string{}
	for _, model := range All() {
		for _, identity := range []string{model.Digest, model.Source} {
			assert.Empty(t, seen[identity], model.ID)
			if identity != "" {
				seen[identity] = model.ID
			}
		}
	}
}

func TestSamplingIsEachMakersOwn(t *testing.T) {
	for id, want := range map[string]appliance.Sampling{
		"devstral-small-2":    {Temperature: 0.15, TopP: 0.95, TopK: -1, MinP: 0.01, RepeatPenalty: 1},
		"qwen3-coder-30b-a3b": {Temperature: 0.7, TopP: 0.8, TopK: 20, RepeatPenalty: 1.05},
		"qwen2.5-coder-7b":    {Temperature: 0.7, TopP: 0.8, TopK: 20, RepeatPenalty: 1},
		"gpt-oss-20b":         {Temperature: 1, TopP: 1, TopK: -1, RepeatPenalty: 1},
		"granite-4.0-h-small": {TopP: 1, TopK: -1, RepeatPenalty: 1},
	} {
		assert.Equal(t, want, named(t, id).Sampling, id)
	}
}

// The claim is true of few.
func TestOnlyMistralIsEuropean(t *testing.T) {
	for _, model := range All() {
		assert.Equal(t, strings.Contains(model.Maker, "Mistral"), model.European, model.ID)
	}
}

// The locks pin what the catalogue says; make lock adds digests and sizes.
func TestLocksPinWhatTheCatalogueSays(t *testing.T) {
	files, err := filepath.Glob("../../../examples/*/*.lock.hcl")
	require.NoError(t, err)
	files = append(files, "../../supply/lockfile/default.lock.hcl")
	require.Greater(t, len(files), 2)
	for _, file := range files {
		lock, err := lockfile.Read(file)
		require.NoError(t, err)
		pinned, found := lock.Find(lockfile.KindModel, "", "")
		require.True(t, found, file)
		model := named(t, pinned.Name)
		want := lockfile.Input{
			Kind: lockfile.KindModel, Name: model.ID, Version: model.Version, Source: model.Source, License: model.License,
			Digest: model.Digest, Size: model.Size,
		}
		if model.Digest == "" {
			want.Digest, want.Size = pinned.Digest, pinned.Size
		}
		assert.Equal(t, want, pinned, file)
	}
}

// MiB at 16, 32 and 128K; 0 where it is not known or the model was not made for so many.
func TestMemory(t *testing.T) {
	for id, want := range map[string][3]int{
		"devstral-small-2":    {24 << 10, 32 << 10, 79 << 10},
		"qwen3-coder-30b-a3b": {24 << 10, 29 << 10, 57 << 10},
		"qwen2.5-coder-7b":    {9 << 10, 12 << 10, 0},
		"qwen2.5-coder-1.5b":  {4 << 10, 6 << 10, 0},
		"qwen2.5-coder-0.5b":  {2 << 10, 3 << 10, 0},
		"gpt-oss-20b":         {15 << 10, 16 << 10, 23 << 10},
		"glm-4.7-flash":       {},
		"granite-4.0-h-small": {},
	} {
		model := named(t, id)
		assert.Equal(t, want, [3]int{model.MemoryMiB(16 << 10), model.MemoryMiB(32 << 10), model.MemoryMiB(128 << 10)}, id)
	}
}

// Numbers that a token adds to the cache, and bytes of states, reckoned by hand from the models'
// config.json.
func TestShapesAreThoseOfTheModels(t *testing.T) {
	for id, want := range map[string]kvcache.Layout{
		"devstral-small-2":    {Full: 40 * 2 * 8 * 128, HeadUnit: 128},
		"qwen3-coder-30b-a3b": {Full: 48 * 2 * 4 * 128, HeadUnit: 128},
		"qwen2.5-coder-7b":    {Full: 28 * 2 * 4 * 128, HeadUnit: 128},
		"qwen2.5-coder-1.5b":  {Full: 28 * 2 * 2 * 128, HeadUnit: 128},
		"qwen2.5-coder-0.5b":  {Full: 24 * 2 * 2 * 64, HeadUnit: 64},
		"gpt-oss-20b":         {Full: 12 * 2 * 8 * 64, Windowed: 12 * 2 * 8 * 64, Window: 128, HeadUnit: 64},
		"glm-4.7-flash":       {Full: 47 * (512 + 64), HeadUnit: 64},
		"granite-4.0-h-small": {Full: 4 * 2 * 8 * 128, HeadUnit: 128, State: 36 * 4 * (3*(8192+2*128) + 8192*128)},
	} {
		assert.Equal(t, want, kvcache.Of(named(t, id).header()), id)
	}
}

// The files that the memory is computed of again, at the bake.
func TestFilesNeedWhatTheCatalogueSays(t *testing.T) {
	for _, model := range All() {
		path := filepath.Join(t.TempDir(), "model.gguf")
		require.NoError(t, gguftest.Published(model.ID).WriteSparse(path))
		file, err := weights.Read(path)
		require.NoError(t, err)
		assert.Equal(t, kvcache.Of(file), kvcache.Of(model.header()), model.ID)

		if model.Size == 0 {
			continue
		}
		info, err := os.Stat(path)
		require.NoError(t, err)
		vocabulary := model.Size - info.Size()
		assert.True(t, vocabulary > 0 && vocabulary < 16<<20, "%s: %d bytes are neither tensors nor a vocabulary", model.ID, vocabulary)
		for _, context := range []int{4 << 10, 16 << 10, 32 << 10, 128 << 10} {
			if context <= model.Context {
				assert.Equal(t, fit.Memory(file, context), model.MemoryMiB(context), "%s: %d tokens", model.ID, context)
			}
		}
	}
}

// Embeddings that serve as output are in memory twice: package fit counts them so.
func TestTiedEmbeddingsCountTwice(t *testing.T) {
	model := named(t, "granite-4.0-h-small")
	model.Size = 20 << 30
	tied := fit.Least(model.header())
	model.shape.tied = false
	embeddings := 100352 * 4096 / 256 * 210 >> 20
	assert.InDelta(t, embeddings+embeddings/32, tied-fit.Least(model.header()), 4, "MiB, and what the kernel reserves of them")
}

// The table of docs/models.md is generated: go test ./internal/model/catalogue -update.
func TestTheTableInTheDocumentation(t *testing.T) {
	var table strings.Builder
	table.WriteString("| id | what for | made by, licence | parameters (active) | file | tokens of context | memory at 16, 32, 128K | completion in the editor | quality as published |\n|---|---|---|---|---|---|---|---|---|\n")
	for _, m := range All() {
		fmt.Fprintf(&table, "| [`%s`](%s) | %s | %s, %s | %s | %s | %d | %s | %s | %s |\n", m.ID, m.Card, m.Purpose, m.Maker, m.License,
			parameters(m), size(m), m.Context, memory(m), cmp.Or(m.FIM, "not known"), quality(m))
	}
	goldentest.Block(t, "../../../docs/models.md", "models", table.String())
}

// The table of docs/models.md that says how they answer.
func TestTheTableOfSamplingInTheDocumentation(t *testing.T) {
	var table strings.Builder
	table.WriteString("| id | temperature | top_p | top_k | min_p | repeat penalty | chat template |\n|---|---|---|---|---|---|---|\n")
	row := func(id string, s appliance.Sampling, template string) {
		topK := "off"
		if s.TopK > 0 {
			topK = fmt.Sprint(s.TopK)
		}
		fmt.Fprintf(&table, "| %s | %v | %v | %s | %v | %v | %s |\n", id, s.Temperature, s.TopP, topK, s.MinP, s.RepeatPenalty, template)
	}
	for _, m := range All() {
		row("`"+m.ID+"`", m.Sampling, m.Template)
	}
	row("any other", appliance.NeutralSampling(), "")
	goldentest.Block(t, "../../../docs/models.md", "sampling", table.String())
}

func parameters(m Model) string {
	if m.ActiveParameters == 0 {
		return fmt.Sprintf("%vB", m.Parameters)
	}
	return fmt.Sprintf("%vB (%vB)", m.Parameters, m.ActiveParameters)
}

func size(m Model) string {
	if m.Size == 0 {
		return "not known"
	}
	return fmt.Sprintf("%.1f GB", float64(m.Size)/1e9)
}

func memory(m Model) string {
	var sizes []string
	for _, context := range []int{16 << 10, 32 << 10, 128 << 10} {
		mib := m.MemoryMiB(context)
		sizes = append(sizes, cmp.Or(map[bool]string{true: fmt.Sprint(mib >> 10)}[mib > 0], "–"))
	}
	if m.Size == 0 {
		return "not known"
	}
	return strings.Join(sizes, ", ") + " GiB"
}

func quality(m Model) string {
	if m.Quality == "" {
		return ""
	}
	return "[" + m.Quality + "](" + m.QualitySource + ")"
}
