package speed

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/goldentest"
)

// usual is Devstral on a server.
func usual() Result {
	return Result{
		At:           time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC),
		Of:           Subject{Model: "devstral-small-2", Quantization: "Q4_K_M", LocalAI: "v4.9.0", Threads: 16, Processor: "AMD EPYC 9354"},
		PromptTokens: 520, FirstToken: 20.8, Read: 25, Write: 5.2, Edit: 11.4,
		BytesPerToken: 14_000_000_000, Bandwidth: 91e9, Processors: 15.8, Stolen: 0.01,
		Features: []string{"AVX2", "AVX-512", "AVX-512 VNNI"}, Kernels: "zen4",
	}
}

func TestWords(t *testing.T) {
	assert.Equal(t, [][2]string{
		{"reads", "25 tokens/s (the first token after 520 tokens: 20.8 s)"},
		{"writes", "5.2 tokens/s"},
		{"edits", "11 tokens/s, where an answer repeats most of the prompt"},
		{"first turn", "10,000 tokens, as coding agents begin with, take about 7 minutes or more"},
		{"memory", "91.0 GB/s, of which writing uses 80 %"},
		{"processor", "AMD EPYC 9354, AVX2, AVX-512, AVX-512 VNNI, kernels for zen4"},
		{"measured", "2026-11-30T12:00:00Z"},
	}, usual().Lines())
	assert.Equal(t, "The model reads 25 and writes 5.2 tokens/s.", usual().Sentence())
	assert.Empty(t, usual().Warnings())

	unknown := usual()
	unknown.Bandwidth, unknown.Of.Processor, unknown.Features, unknown.Kernels, unknown.Edit = 0, "", nil, "", 0
	assert.Len(t, unknown.Lines(), 4, "what is not known is left out")
	guessed := usual()
	guessed.Write = 12
	assert.Contains(t, guessed.Lines(), [2]string{"memory", "91.0 GB/s, of which writing uses all"})
	assert.Empty(t, unknown.Warnings())
}

func TestWarnings(t *testing.T) {
	for want, edit := range map[string]func(*Result){
		"speed: the host gave 23 % of the processors' time to other virtual machines. Pin": func(r *Result) { r.Stolen = 0.23 },
		"speed: 16 threads do the work of 9.1: they share cores":                           func(r *Result) { r.Processors = 9.1 },
		"speed: writing uses 31 % of what the memory gives. What usually costs the rest":   func(r *Result) { r.Write = 2 },
	} {
		r := usual()
		edit(&r)
		require.Len(t, r.Warnings(), 1, want)
		assert.Contains(t, r.Warnings()[0], want)
	}
}

func TestASmallModelDoesNotWaitForTheMemory(t *testing.T) {
	r := usual()
	r.BytesPerToken = 100 << 20
	assert.Empty(t, r.Warnings())
}

func TestAbout(t *testing.T) {
	for want, d := range map[string]time.Duration{
		"a few seconds": 9 * time.Second, "about 40 seconds": 42 * time.Second, "about 90 seconds": 89 * time.Second, "about 2 minutes": 90 * time.Second,
		"about 7 minutes": 400 * time.Second, "about 1 hour": 63 * time.Minute, "about 1 hour 10 minutes": 68 * time.Minute, "about 3 hours 20 minutes": 200 * time.Minute,
	} {
		assert.Equal(t, want, About(d))
	}
}

func TestWhatOpenNebulaIsTold(t *testing.T) {
	assert.Equal(t, map[string]string{
		"SLM_COPILOT_READ_TOKENS_PER_SECOND": "25.00", "SLM_COPILOT_WRITE_TOKENS_PER_SECOND": "5.20", "SLM_COPILOT_EDIT_TOKENS_PER_SECOND": "11.40",
		"SLM_COPILOT_FIRST_TURN_SECONDS": "400.00", "SLM_COPILOT_MEMORY_SHARE": "0.80",
	}, usual().Attributes())
	assert.Len(t, Of(nil).Attributes(), 5, "what was told of another model does not stay")
}

func TestMetrics(t *testing.T) {
	var text bytes.Buffer
	usual().WriteMetrics(&text)
	goldentest.Equal(t, "testdata/metrics.txt", text.Bytes())
}

func TestStored(t *testing.T) {
	path := filepath.Join(t.TempDir(), "speed.json")
	none, err := Load(path)
	require.NoError(t, err)
	assert.Nil(t, none)

	require.NoError(t, Save(path, usual()))
	kept, err := Load(path)
	require.NoError(t, err)
	assert.Equal(t, usual(), *kept)

	require.NoError(t, os.WriteFile(path, []byte("{"), 0o600))
	_, err = Load(path)
	assert.ErrorContains(t, err, path)
}

func TestNothingIsDividedByZero(t *testing.T) {
	assert.Zero(t, Result{}.Share())
	assert.Zero(t, Result{}.FirstTurn())
}
