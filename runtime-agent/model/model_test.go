package model

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/model/gguf"
)

func tiny(t testing.TB) []byte {
	t.Helper()
	var file bytes.Buffer
	require.NoError(t, gguf.Write(&file, gguf.Tiny("Tiny")))
	return file.Bytes()
}

func write(t *testing.T, content []byte) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "model.gguf")
	require.NoError(t, os.WriteFile(path, content, 0o644))
	return path
}

func TestAWholeFile(t *testing.T) {
	path := write(t, tiny(t))
	header, err := Read(path)
	require.NoError(t, err)
	assert.Equal(t, uint64(2), header.BlockCount)
	assert.Len(t, header.Tensors, 3+2*9)
}

// Only the header counts: what follows may be anything, even a sparse file of many gigabytes.
func TestOnlyTheHeaderIsRead(t *testing.T) {
	model := tiny(t)
	path := write(t, model)
	header, err := Read(path)
	require.NoError(t, err)
	start := int64(header.Tensors[0].Offset)
	require.NoError(t, os.Truncate(path, start))
	require.NoError(t, os.Truncate(path, int64(len(model))+1<<40))
	_, err = Read(path)
	require.NoError(t, err)
}

// patch changes the number that follows a key of the metadata.
func patch(t *testing.T, file []byte, key string, value uint32) []byte {
	t.Helper()
	at := bytes.Index(file, []byte(key))
	require.Positive(t, at, key)
	file = bytes.Clone(file)
	binary.LittleEndian.PutUint32(file[at+len(key)+4:], value)
	return file
}

func TestDamagedFiles(t *testing.T) {
	whole := tiny(t)
	header, err := gguf.Read(bytes.NewReader(whole), int64(len(whole)))
	require.NoError(t, err)
	const dimensions = 2 * 8 // in bytes, of a matrix
	entry := bytes.Index(whole, []byte("token_embd.weight")) + len("token_embd.weight") + 4
	flat := bytes.Clone(whole)
	copy(flat[entry:entry+dimensions], make([]byte, dimensions))

	for name, tt := range map[string]struct {
		content []byte
		want    string
	}{
		"empty":               {nil, "the file is empty"},
		"an error page":       {[]byte("<html>404</html>"), `it starts with "<htm"`},
		"zeros":               {make([]byte, 1<<20), "not a GGUF file"},
		"cut in the magic":    {whole[:3], "not a GGUF file"},
		"cut in the header":   {whole[:200], "truncated: the header goes on"},
		"cut before the data": {whole[:header.Tensors[0].Offset], "truncated: tensor"},
		"one byte short":      {whole[:len(whole)-1], "truncated: tensor"},
		"big-endian":          {append([]byte("GGUF\x00\x00\x00\x03"), whole[8:]...), "big-endian"},
		"no architecture":     {bytes.Replace(whole, []byte("general.architecture"), []byte("general.architectura"), 1), "no general.architecture"},
		"no layers":           {patch(t, whole, "llama.block_count", 0), "0 layers"},
		"endless layers":      {patch(t, whole, "llama.block_count", 1<<31), "2147483648 layers"},
		"no context":          {patch(t, whole, "llama.context_length", 0), "0 tokens of context"},
		"endless heads":       {patch(t, whole, "llama.attention.head_count_kv", 1<<30), "attention.head_count_kv is 1073741824"},
		"no head size":        {patch(t, whole, "llama.attention.key_length", 0), "keys of 0 numbers"},
		"endless head size":   {patch(t, whole, "llama.attention.value_length", 1<<30), "attention.value_length is 1073741824"},
		"a flat matrix":       {flat, "impossible dimensions"},
	} {
		t.Run(name, func(t *testing.T) {
			path := write(t, tt.content)
			_, err := Read(path)
			require.ErrorContains(t, err, tt.want)
			assert.ErrorContains(t, err, path)
			assert.ErrorContains(t, err, "the image is damaged")
			assert.ErrorContains(t, err, "Deploy the virtual machine again")
		})
	}
}

// Nothing is wrong with these files, so deploying the machine again helps nobody.
func TestFilesThatHoldNoModel(t *testing.T) {
	whole := tiny(t)
	another := bytes.Replace(whole, []byte("\x05\x00\x00\x00\x00\x00\x00\x00llama"), []byte("\x05\x00\x00\x00\x00\x00\x00\x00whisp"), 1)
	vocabulary := append(bytes.Clone(whole[:8]), append(make([]byte, 8), whole[16:]...)...)
	for want, content := range map[string][]byte{"whisp.block_count": another, "only a vocabulary": vocabulary} {
		path := write(t, content)
		_, err := Read(path)
		require.ErrorContains(t, err, want)
		assert.ErrorContains(t, err, "the model "+path+" cannot be served")
		assert.ErrorContains(t, err, "Import an appliance with another model")
		assert.NotContains(t, err.Error(), "damaged")
	}
}

func TestNotARegularFile(t *testing.T) {
	directory := t.TempDir()
	for path, want := range map[string]string{
		filepath.Join(directory, "model.gguf"): "the file does not exist", directory: "not a regular file",
	} {
		_, err := Read(path)
		require.ErrorContains(t, err, want)
		assert.ErrorContains(t, err, "the image is damaged")
	}
	// A path that cannot be resolved says nothing about the image.
	file := write(t, tiny(t))
	_, err := Read(filepath.Join(file, "model.gguf"))
	require.ErrorContains(t, err, "read the weights of the model")
	assert.NotContains(t, err.Error(), "damaged")
}
