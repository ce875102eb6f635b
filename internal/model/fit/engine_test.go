package fit

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/gguftest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/model/gguf"
	modelfile "github.com/slm-copilot/packer-plugin-slm-copilot/internal/model/weights"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/nodetest"
)

// engines are llama.cpp's libraries as npm has them: that of LocalAI v4.9.0, and a later one.
var engines = []string{"llama.cpp-b10361", "llama.cpp-v0.4.0"}

type inContext struct {
	Tokens int `json:"tokens"`
	Batch  int `json:"batch"`
	// Type is ggml's number.
	Type int `json:"type"`
}

func (c inContext) kind() cacheType { return map[int]cacheType{typeF16: f16, typeQ8: q8}[c.Type] }

const (
	typeF16 = 1
	typeQ8  = 8
)

// inFile asks for contexts, into each of which so many tokens are read.
type inFile struct {
	Path     string      `json:"path"`
	Read     int         `json:"read"`
	Contexts []inContext `json:"contexts"`
}

// took is what the engine says of a context.
type took struct {
	Log string
	// Checkpoint and State are the sizes in bytes of a checkpoint, and of the file of all that was read.
	Checkpoint, State uint64
}

// ask has an engine make every context of every file.
func ask(t *testing.T, dir, engine string, files []inFile) [][]took {
	t.Helper()
	question, err := json.Marshal(map[string]any{"library": engine, "files": files})
	require.NoError(t, err)
	command := exec.Command("node", "contexts.mjs")
	var said bytes.Buffer
	command.Dir, command.Stdin, command.Stderr = dir, bytes.NewReader(question), &said
	output, err := command.Output()
	require.NoError(t, err, said.String())
	var answers [][]took
	require.NoError(t, json.Unmarshal(output, &answers))
	require.Len(t, answers, len(files))
	return answers
}

var (
	cacheSize   = regexp.MustCompile(`(?m)^llama_(?:kv_cache|memory_recurrent): size = +([0-9.]+) MiB`)
	computeSize = regexp.MustCompile(`(?m) CPU compute buffer size = +([0-9.]+) MiB`)
)

// logged adds up the sizes, in MiB, of the lines that match.
func logged(t *testing.T, log string, lines *regexp.Regexp) float64 {
	t.Helper()
	found := lines.FindAllStringSubmatch(log, -1)
	require.NotEmpty(t, found, log)
	sum := 0.0
	for _, line := range found {
		size, err := strconv.ParseFloat(line[1], 64)
		require.NoError(t, err)
		sum += size
	}
	return sum
}

// withFewWords returns the model with a vocabulary so small that the scores of a whole batch take less than
// those of a few tokens usually do. The library has no way to ask for fewer.
func withFewWords(m gguftest.Model) gguftest.Model {
	for key := range m.Metadata {
		if strings.HasSuffix(key, ".vocab_size") {
			m.Metadata[key] = 256.0
		}
	}
	for i, tensor := range m.Tensors {
		if strings.HasSuffix(tensor.Name, "token_embd.weight") || tensor.Name == "output.weight" {
			m.Tensors[i].Dimensions = []uint64{tensor.Dimensions[0], 256}
		}
	}
	return m
}

// prepared are files, and their headers as the agent reads them.
type prepared struct {
	names   []string
	headers []gguf.Header
	files   []inFile
}

func (p *prepared) add(t *testing.T, name string, model gguftest.Model, read int, contexts []inContext) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "model.gguf")
	require.NoError(t, model.WriteSparse(path))
	header, err := modelfile.Read(path)
	require.NoError(t, err)
	p.names, p.headers, p.files = append(p.names, name), append(p.headers, header), append(p.files, inFile{path, read, contexts})
}

// compare asks the engine, and calls what compares each answer.
func (p *prepared) compare(t *testing.T, dir, engine string, with func(what string, s size, context inContext, got took)) {
	t.Helper()
	for i, answer := range ask(t, dir, engine, p.files) {
		require.Len(t, answer, len(p.files[i].Contexts))
		for j, context := range p.files[i].Contexts {
			what := fmt.Sprintf("%s with %d tokens in type %d", p.names[i], context.Tokens, context.Type)
			with(what, sizes(p.headers[i]), context, answer[j])
		}
	}
}

func TestTheRealEngine(t *testing.T) {
	dir := nodetest.Install(t, "testdata/engine")
	for _, engine := range engines {
		t.Run(engine+" takes what is predicted", func(t *testing.T) { testTakes(t, dir, engine) })
		t.Run(engine+" keeps what is predicted", func(t *testing.T) { testKeeps(t, dir, engine) })
	}
}

// The shapes are the real ones of every model of the catalogue, and of others. The engine makes its plans
// without the weights (llama.cpp's no_alloc), as it does to find out what fits.
func testTakes(t *testing.T, dir, engine string) {
	contexts := []inContext{
		{512, Batch, typeF16}, {5000, Batch, typeF16}, {16384, Batch, typeF16},
		{32768, Batch, typeQ8}, {131072, Batch, typeF16}, {131072, Batch, typeQ8},
	}
	extremes := []inContext{contexts[0], contexts[3], contexts[4]}
	var models prepared
	for _, id := range gguftest.IDs() {
		models.add(t, id, gguftest.Published(id), 0, contexts)
		models.add(t, id+", few words", withFewWords(gguftest.Published(id)), 0, extremes)
	}
	models.compare(t, dir, engine, func(what string, s size, context inContext, got took) {
		predicted := float64(s.kv(context.Tokens, context.kind())) / mib
		assert.InDelta(t, logged(t, got.Log, cacheSize), predicted, 0.02, "%s: cache and states", what)

		// All the library's buffers are for scores of the whole batch.
		compute := logged(t, got.Log, computeSize)
		predicted = float64(s.compute(context.Tokens, Batch)) / mib
		assert.GreaterOrEqual(t, predicted, compute, "%s: buffers", what)
		assert.LessOrEqual(t, predicted, 2*compute+64, "%s: buffers", what)
	})
}

// What the engine keeps of a conversation, once it has read one.
func testKeeps(t *testing.T, dir, engine string) {
	const read = 150 // tokens, more than the window of gpt-oss
	contexts := []inContext{{1024, Batch, typeF16}, {1024, Batch, typeQ8}}
	var models prepared
	for _, id := range []string{"gpt-oss-20b", "granite-4.0-h-small", "qwen3-coder-next", "falcon-h1-7b", "mamba-codestral-7b", "llama-3.1-8b"} {
		models.add(t, id, gguftest.Narrow(id), read, contexts)
	}
	models.compare(t, dir, engine, func(what string, s size, context inContext, got took) {
		assert.InEpsilon(t, s.saved(read, context.kind()), got.State, 0.01, "%s: conversation", what)
		// The library makes a checkpoint of a model without windows and states too, the engine does not.
		if s.cache.Window > 0 || s.cache.State > 0 {
			assert.InEpsilon(t, s.checkpoint(read, context.kind()), got.Checkpoint, 0.01, "%s: checkpoint", what)
		}
	})
}
