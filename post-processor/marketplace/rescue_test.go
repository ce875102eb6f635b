package marketplace

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAFileThatCannotBeKeptDoesNotCostTheImage(t *testing.T) {
	directory := t.TempDir()
	image, folder := filepath.Join(directory, "a.qcow2"), filepath.Join(directory, "folder")
	require.NoError(t, os.WriteFile(image, []byte("image"), 0o600))
	require.NoError(t, os.Mkdir(folder, 0o755))
	k, err := keep(t.Context(), func(string) {}, image, []string{folder})
	require.Error(t, err)
	content, errRead := os.ReadFile(k.image())
	require.NoError(t, errRead)
	assert.Equal(t, "image", string(content))
	assert.ErrorContains(t, k.tell(errors.New("x")), "The image is kept as "+k.image())
}
