package fit

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/gguftest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/goldentest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/model/gguf"
	modelfile "github.com/slm-copilot/packer-plugin-slm-copilot/internal/model/weights"
)

// The default of the appliance on the machine it is made for.
func TestTheDefaultFitsWithoutAWord(t *testing.T) {
	got, err := Decide(guest(32), devstral.header(), 32768)
	require.NoError(t, err)
	assert.Equal(t, Result{ContextSize: 32768, CacheRAM: 11499, CacheTokens: 72437}, got)
}

// The golden file shows every decision for models of 1 to 24 B on the usual machines.
func TestDecisions(t *testing.T) {
	const golden = "testdata/decisions.txt"
	var out strings.Builder
	for _, model := range models {
		for _, gibibytes := range []uint64{4, 16, 24, 32, 48, 64} {
			for _, wanted := range []int{4096, 32768, 131072} {
				got, err := Decide(guest(gibibytes), model.shape.header(), wanted)
				fmt.Fprintf(&out, "%s on %d GiB, wanted %d: ", model.name, gibibytes, wanted)
				if err != nil {
					fmt.Fprintf(&out, "%v\n", err)
					continue
				}
				fmt.Fprintf(&out, "%d %s, cache %d for %d tokens\n", got.ContextSize, kind(got), got.CacheRAM, got.CacheTokens)
				for _, warning := range got.Warnings {
					fmt.Fprintf(&out, "  %s\n", warning)
				}
			}
		}
	}
	goldentest.Equal(t, golden, out.String())
}

func kind(r Result) string {
	if r.CacheType == "" {
		return "f16"
	}
	return r.CacheType
}

func TestDocumentationHoldsTheTableOfMemory(t *testing.T) {
	const documentation = "../../../docs/appliance.md"
	var table strings.Builder
	table.WriteString("| `MEMORY` | context asked for | context | KV cache | weights | KV cache and buffers | prompt cache | conversations of 12,000 tokens |\n|---|---|---|---|---|---|---|---|\n")
	for _, gibibytes := range []uint64{16, 24, 32, 48, 64} {
		for _, wanted := range []int{32768, 131072} {
			h := devstral.header()
			r, err := Decide(guest(gibibytes), h, wanted)
			require.NoError(t, err)
			s := sizes(h)
			stored := map[string]cacheType{"f16": f16, "q8_0": q8}[kind(r)]
			buffers := s.need(r.ContextSize, stored) - s.weights - services
			fmt.Fprintf(&table, "| %d GiB | %d | %d | %s | %s | %s | %.1f GiB | %d |\n", gibibytes, wanted, r.ContextSize, kind(r),
				gib(s.weights), gib(buffers), float64(r.CacheRAM)/1024, max(1, r.CacheTokens/Conversation))
		}
	}
	goldentest.Block(t, documentation, "memory", table.String())
}

func TestDocumentationHoldsTheTableOfParts(t *testing.T) {
	const context, documentation = 32768, "../../../docs/appliance.md"
	dense, hybrid := published(t, "devstral-small-2"), published(t, "granite-4.0-h-small")
	var table strings.Builder
	table.WriteString("| | | Devstral Small 2, dense | Granite 4.0 H Small, most layers recurrent |\n|---|---|---|---|\n")
	for _, part := range []struct {
		name, what string
		bytes      func(size) uint64
	}{
		{"weights", "the file, once, and what Intel's AMX would add to it", func(s size) uint64 { return s.weights }},
		{"KV cache", "keys and values, layer by layer as llama.cpp allocates them", func(s size) uint64 { return s.kv(context, f16) - s.cache.State }},
		{"states", "of recurrent layers, of fixed size; and a copy while a draft is checked", func(s size) uint64 { return 2 * s.cache.State }},
		{"checkpoints", fmt.Sprintf("up to %d copies of windows and states, which cannot be rolled back", Checkpoints), func(s size) uint64 { return s.checkpoints(context, f16) }},
		{"buffers", fmt.Sprintf("what a batch of %d tokens is computed in", Batch), func(s size) uint64 { return s.compute(context, 1+Draft) + (1+Draft)*s.scores }},
		{"services", "LocalAI, nginx, the vocabulary, requests in progress", func(size) uint64 { return services }},
		{"system", "kernel, Debian or Ubuntu; besides, a guest sees 98 % of its `MEMORY`", func(size) uint64 { return system }},
		{"prompt cache", "all that is left; one conversation of full length takes", func(s size) uint64 { return s.state(context, f16) }},
	} {
		fmt.Fprintf(&table, "| %s | %s | %s | %s |\n", part.name, part.what, gib(part.bytes(dense)), gib(part.bytes(hybrid)))
	}
	goldentest.Block(t, documentation, "parts", table.String())
}

// published returns the size of the whole file of a model.
func published(t *testing.T, id string) size {
	t.Helper()
	path := filepath.Join(t.TempDir(), "model.gguf")
	require.NoError(t, gguftest.Published(id).WriteSparse(path))
	header, err := modelfile.Read(path)
	require.NoError(t, err)
	return sizes(header)
}

func TestTheModelsOwnContextIsTheLimit(t *testing.T) {
	got, err := Decide(guest(64), qwen3B.header(), 131072)
	require.NoError(t, err)
	assert.Equal(t, 32768, got.ContextSize)
	require.Len(t, got.Warnings, 1)
	assert.Contains(t, got.Warnings[0], "32768 tokens in place of 131072")
	assert.Contains(t, got.Warnings[0], appliance.VarContextSize)

	h := qwen3B.header()
	h.ContextLength = 300
	got, err = Decide(guest(64), h, 512)
	require.NoError(t, err)
	assert.Equal(t, 300, got.ContextSize)
}

func TestHeadsThatBlocksWouldStraddleStayF16(t *testing.T) {
	h := devstral.header()
	h.Numbers["attention.key_length"] = 80
	got, err := Decide(guest(16), h, 32768)
	require.NoError(t, err)
	assert.Empty(t, got.CacheType)
	assert.Less(t, got.ContextSize, 32768)
}

func TestAModelWithoutAttention(t *testing.T) {
	h := devstral.header()
	h.Architecture, h.Numbers = "mamba", nil
	got, err := Decide(guest(32), h, 32768)
	require.NoError(t, err)
	assert.Equal(t, 32768, got.ContextSize)
	assert.Positive(t, got.CacheTokens)
}

// A machine with the least memory starts the model, one with a tenth less does not.
func TestTheLeastMemoryIsEnough(t *testing.T) {
	for _, model := range models {
		h := model.shape.header()
		least := uint64(Least(h))
		seen := least * mib * 98 / 100 // the kernel keeps the rest to itself
		_, err := Decide(seen, h, 32768)
		require.NoError(t, err, model.name)
		_, err = Decide(seen*9/10, h, 32768)
		require.Error(t, err, model.name)
		assert.LessOrEqual(t, least, uint64(Memory(h, 32768)), model.name)
	}
}

// A test machine and a demonstration have little memory, and a model of nearly nothing.
func TestATinyModelFitsIntoOneGiB(t *testing.T) {
	h := gguf.Header{ContextLength: 32768, BlockCount: 2, Numbers: map[string]uint64{
		"attention.head_count": 2, "attention.key_length": 16, "attention.value_length": 16,
	}}
	got, err := Decide(guest(1), h, 32768)
	require.NoError(t, err)
	assert.Equal(t, 32768, got.ContextSize)
	assert.Empty(t, got.Warnings)
}

// The same machine must come to the same files at each boot, although its memory differs by
// some KiB then.
func TestABootIsLikeAnother(t *testing.T) {
	first, err := Decide(24_000_000<<10, devstral.header(), 32768)
	require.NoError(t, err)
	second, err := Decide(24_000_120<<10, devstral.header(), 32768)
	require.NoError(t, err)
	assert.Equal(t, first, second)
}

var advice = regexp.MustCompile(`Set MEMORY of the virtual machine to (\d+) or more`)

// advised is the memory a guest has once the advice was followed.
func advised(t *testing.T, message string) uint64 {
	t.Helper()
	found := advice.FindStringSubmatch(message)
	require.NotNil(t, found, message)
	mebibytes, err := strconv.ParseUint(found[1], 10, 32)
	require.NoError(t, err)
	return guest(mebibytes / 1024)
}

func TestTheAdviceIsTrue(t *testing.T) {
	for _, model := range models {
		h := model.shape.header()
		for gibibytes := uint64(1); gibibytes <= 40; gibibytes++ {
			for _, wanted := range []int{512, 32768, 131072} {
				wanted = min(wanted, int(h.ContextLength))
				r, err := Decide(guest(gibibytes), h, wanted)
				if err != nil {
					_, err = Decide(advised(t, err.Error()), h, wanted)
					assert.NoError(t, err)
					continue
				}
				for _, warning := range r.Warnings {
					better, err := Decide(advised(t, warning), h, wanted)
					require.NoError(t, err)
					switch {
					case strings.HasPrefix(warning, "context"):
						assert.Equal(t, wanted, better.ContextSize, warning)
					case strings.HasPrefix(warning, "KV cache"):
						assert.Equal(t, wanted, better.ContextSize, warning)
						assert.Empty(t, better.CacheType, warning)
					case len(r.Warnings) == 1:
						assert.Empty(t, better.Warnings, warning)
					}
				}
			}
		}
	}
}

// FuzzDecide holds the promises that have no table: what is decided fits, more memory never
// gives a smaller context, and nobody gets more than he wanted.
func FuzzDecide(f *testing.F) {
	for model := range models {
		for gibibytes := uint64(1); gibibytes <= 64; gibibytes += 3 {
			f.Add(gibibytes<<30, uint64(100*mib), uint8(model), 32768)
			f.Add(gibibytes<<30+5*mib, uint64(memoryStep), uint8(model), 131072-int(gibibytes))
		}
	}
	f.Fuzz(func(t *testing.T, memory, more uint64, model uint8, wanted int) {
		memory, more = memory%(1<<40), more%(1<<40)
		wanted = min(max(wanted, 512), 131072)
		h := models[int(model)%len(models)].shape.header()
		got, err := Decide(memory, h, wanted)
		better, errBetter := Decide(memory+more, h, wanted)
		if err != nil {
			assert.Equal(t, Result{}, got)
			return
		}
		require.NoError(t, errBetter)
		assert.GreaterOrEqual(t, better.ContextSize, got.ContextSize)
		if got.CacheType == "" {
			assert.Empty(t, better.CacheType)
		}

		stored := map[string]cacheType{"f16": f16, "q8_0": q8}[kind(got)]
		taken := sizes(h).need(got.ContextSize, stored) + uint64(got.CacheRAM)*mib
		assert.LessOrEqual(t, taken+min(memory/8, system)-memoryStep, memory)
		assert.LessOrEqual(t, got.ContextSize, wanted)
		assert.LessOrEqual(t, uint64(got.ContextSize), h.ContextLength)
		assert.GreaterOrEqual(t, got.ContextSize, MinContext)
		assert.GreaterOrEqual(t, got.CacheRAM, 0)
		if got.ContextSize < wanted || got.CacheType != "" {
			assert.NotEmpty(t, got.Warnings)
		}
	})
}

// Memory is not proportional to the context where layers have windows: below the window each
// token takes ten times as much as above it.
func TestTheLargestContextIsFoundWithWindows(t *testing.T) {
	h := windowed()
	s := sizes(h)
	seen := map[int]bool{}
	for mebibytes := uint64(15 << 10); mebibytes < 40<<10; mebibytes += 128 {
		memory := mebibytes * mib
		got, err := Decide(memory, h, 131072)
		if err != nil {
			assert.Greater(t, s.need(MinContext, q8), usable(memory), "%d MiB", mebibytes)
			continue
		}
		kind := map[string]cacheType{"": f16, "q8_0": q8}[got.CacheType]
		seen[got.ContextSize] = true
		assert.LessOrEqual(t, s.need(got.ContextSize, kind), usable(memory), "%d MiB", mebibytes)
		if got.ContextSize < 131072 {
			assert.Greater(t, s.need(got.ContextSize+contextStep, kind), usable(memory), "%d MiB", mebibytes)
		}
	}
	assert.Greater(t, len(seen), 10, "of all lengths")
	assert.True(t, seen[131072])
}

func TestMemoryForWindowsAndStates(t *testing.T) {
	for name, h := range map[string]gguf.Header{"windows": windowed(), "states": recurrent()} {
		got := Memory(h, 32768)
		r, err := Decide(guest(uint64(got/1024)), h, 32768)
		require.NoError(t, err, name)
		assert.Equal(t, 32768, r.ContextSize, name)
		assert.Empty(t, r.CacheType, name)
		assert.Empty(t, r.Warnings, name)
	}
}

func TestMemoryOfAMachineForTheModel(t *testing.T) {
	for name, tt := range map[string]struct {
		shape shape
		want  int
	}{
		"1B": {llama1B, 6 << 10}, "3B": {qwen3B, 8 << 10}, "8B": {llama8B, 19 << 10}, "14B": {qwen14B, 30 << 10}, "24B": {devstral, 32 << 10},
	} {
		t.Run(name, func(t *testing.T) {
			h := tt.shape.header()
			got := Memory(h, 32768)
			assert.Equal(t, tt.want, got)
			r, err := Decide(guest(uint64(got/1024)), h, 32768)
			require.NoError(t, err)
			assert.Empty(t, r.Warnings)
			assert.Equal(t, 32768, r.ContextSize)
		})
	}
	h := qwen3B.header()
	assert.Equal(t, Memory(h, 32768), Memory(h, 131072), "no memory is asked for a context the model was not made for")
}
