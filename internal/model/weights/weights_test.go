package weights

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/gguftest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/model/gguf"
)

func write(t testing.TB, content []byte) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "model.gguf")
	require.NoError(t, os.WriteFile(path, content, 0o644))
	return path
}

type metadata = map[string]any

// model returns the metadata of a model of the architecture, and more.
func model(architecture string, more metadata) metadata {
	all := metadata{
		"general.architecture":                    architecture,
		architecture + ".block_count":             2.0,
		architecture + ".context_length":          512.0,
		architecture + ".embedding_length":        64.0,
		architecture + ".attention.head_count":    4.0,
		architecture + ".attention.head_count_kv": 2.0,
	}
	for key, value := range more {
		all[key] = value
	}
	return all
}

func TestModelsThatCanBeServed(t *testing.T) {
	for name, metadata := range map[string]metadata{
		"llama":                           model("llama", nil),
		"of tomorrow":                     model("unheard-of", nil),
		"of one part":                     model("llama", metadata{"split.count": 1.0, "split.no": 0.0}),
		"that says what it is":            model("llama", metadata{"general.type": "model", "llama.pooling_type": 0.0, "llama.attention.causal": true}),
		"without attention":               model("mamba", metadata{"mamba.attention.head_count": 0.0, "mamba.ssm.inner_size": 8192.0, "mamba.ssm.state_size": 16.0}),
		"without attention in some layer": model("granitehybrid", metadata{"granitehybrid.attention.head_count_kv": []any{0.0, 2.0}}),
	} {
		t.Run(name, func(t *testing.T) {
			header, err := Read(write(t, gguftest.File(metadata, "token_embd.weight")))
			require.NoError(t, err)
			assert.Equal(t, metadata["general.architecture"], header.Architecture)
		})
	}
}

func TestFilesThatCannotBeServed(t *testing.T) {
	for name, tt := range map[string]struct {
		metadata metadata
		tensors  []string
		want     string
	}{
		"the first part": {
			model("gpt-oss", metadata{"split.no": 0.0, "split.count": 2.0, "split.tensors.count": 687.0}), []string{"token_embd.weight"},
			`part 1 of 2 of a model: merge them with "llama-gguf-split --merge`,
		},
		"a later part": {
			metadata{"split.no": 1.0, "split.count": 2.0, "split.tensors.count": 687.0}, []string{"blk.20.attn_q.weight"},
			`part 2 of 2 of a model: merge them with "llama-gguf-split --merge`,
		},
		"a vocabulary":              {model("llama", nil), nil, "it contains no weights, only a vocabulary"},
		"BERT":                      {model("nomic-bert", nil), []string{"t"}, "an embedding model, which turns text into vectors and does not write (general.architecture is nomic-bert)"},
		"Gemma for embeddings":      {model("gemma-embedding", nil), []string{"t"}, "an embedding model"},
		"Qwen3 for embeddings":      {model("qwen3", metadata{"qwen3.pooling_type": 3.0}), []string{"t"}, "an embedding model, which turns text into vectors and does not write (qwen3.pooling_type is 3)"},
		"Qwen3 that ranks":          {model("qwen3", metadata{"qwen3.pooling_type": 4.0}), []string{"t"}, "qwen3.pooling_type is 4"},
		"attention to both sides":   {model("llama", metadata{"llama.attention.causal": false}), []string{"t"}, "llama.attention.causal is false"},
		"an encoder with a decoder": {model("t5", nil), []string{"t"}, "an encoder with a decoder"},
		"a projector":               {metadata{"general.architecture": "clip", "clip.vision.block_count": 24.0}, []string{"v.patch_embd.weight"}, "a projector, which only reads images or sound for a model"},
		"a projector by its type":   {metadata{"general.architecture": "new", "general.type": "mmproj"}, []string{"t"}, "a projector"},
		"an adapter":                {metadata{"general.architecture": "llama", "general.type": "adapter"}, []string{"blk.0.attn_q.weight.lora_a"}, "an adapter (LoRA)"},
		"an importance matrix":      {metadata{"general.architecture": "llama", "general.type": "imatrix"}, []string{"t"}, "an importance matrix"},
		"a draft model":             {model("eagle3", nil), []string{"t"}, "a draft model"},
		"text by diffusion":         {model("llada", nil), []string{"t"}, "by diffusion"},
		"a voice":                   {model("qwen3tts", nil), []string{"t"}, "sound, not text"},
		"another program's":         {metadata{"general.architecture": "whisper", "whisper.block_count": 2.0}, []string{"t"}, "the metadata lacks whisper.context_length, whisper.embedding_length, so this is not a language model"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Read(write(t, gguftest.File(tt.metadata, tt.tensors...)))
			require.ErrorContains(t, err, tt.want)
			var unsuitable *UnsuitableError
			assert.ErrorAs(t, err, &unsuitable, "the file is as it should be")
		})
	}
}

func TestDamagedFilesAreNotCalledUnsuitable(t *testing.T) {
	whole := gguftest.File(model("llama", nil), "token_embd.weight")
	for want, content := range map[string][]byte{
		"the file is empty":           {},
		"not a GGUF file":             []byte("<html>404</html>"),
		"truncated: tensor":           whole[:len(whole)-1],
		"truncated: the header":       whole[:100],
		"no general.architecture":     gguftest.File(metadata{"general.name": "x"}, "t"),
		"0 tokens of context":         gguftest.File(model("llama", metadata{"llama.context_length": 0.0}), "t"),
		"0 layers":                    gguftest.File(model("llama", metadata{"llama.block_count": 0.0}), "t"),
		"that llama has attention":    gguftest.File(model("llama", metadata{"llama.attention.head_count": 0.0}), "t"),
		"head_count_kv for 3 of 2":    gguftest.File(model("jamba", metadata{"jamba.attention.head_count_kv": []any{0.0, 1.0, 0.0}}), "t"),
		"a token asks 5000 experts":   gguftest.File(model("llama", metadata{"llama.expert_used_count": 5000.0}), "t"),
		"head_count_kv is 1000000, a": gguftest.File(model("llama", metadata{"llama.attention.head_count_kv": 1e6}), "t"),
	} {
		_, err := Read(write(t, content))
		require.ErrorContains(t, err, want)
		var unsuitable *UnsuitableError
		assert.NotErrorAs(t, err, &unsuitable)
	}
	_, err := Read(t.TempDir())
	require.EqualError(t, err, "it is not a regular file")
	_, err = Read(filepath.Join(t.TempDir(), "none"))
	var unreadable *fs.PathError
	assert.ErrorAs(t, err, &unreadable)
}

func FuzzRead(f *testing.F) {
	var tiny bytes.Buffer
	require.NoError(f, gguf.Write(&tiny, gguf.Tiny("Tiny")))
	f.Add(tiny.Bytes())
	f.Add(gguftest.File(model("jamba", metadata{"jamba.attention.head_count_kv": []any{0.0, 1.0}}), "t"))
	f.Add(gguftest.File(metadata{"split.no": 1.0, "split.count": 2.0}, "t"))
	f.Fuzz(func(t *testing.T, content []byte) {
		header, err := Read(write(t, content))
		if err != nil {
			assert.Empty(t, header)
			return
		}
		assert.Positive(t, header.BlockCount)
		assert.Positive(t, header.ContextLength)
		assert.NotEmpty(t, header.Tensors)
	})
}
