package inspect

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func rootOf(t *testing.T, f treeFiles) fileSystem {
	t.Helper()
	root := fileSystem{t.TempDir()}
	require.NoError(t, os.WriteFile(root.path(), makeExt4(t, 4096, rootSize, f), 0o600))
	return root
}

func skip(int, *bufio.Reader) error { return nil }

func TestWhatDebugfsCannotDoIsSaid(t *testing.T) {
	err := rootOf(t, goodFiles(t)).debugfs(t.Context(), []string{"cat <999999>"}, skip)
	assert.ErrorContains(t, err, "read the file system: ")
	assert.ErrorContains(t, err, "File not found by ext2_lookup")
}

func TestCancelInMidAnswer(t *testing.T) {
	stop := errors.New("stopped by the user")
	ctx, cancel := context.WithCancelCause(t.Context())
	err := rootOf(t, goodFiles(t)).debugfs(ctx, []string{"ls -p <2>"}, func(int, *bufio.Reader) error {
		cancel(stop)
		return nil
	})
	assert.ErrorIs(t, err, stop)
}

func TestErrorInMidAnswerEndsDebugfs(t *testing.T) {
	large := string(make([]byte, 8*mebibyte))
	root := rootOf(t, goodFiles(t).with(treeFiles{"/large": large}))
	all, err := root.walk(t.Context())
	require.NoError(t, err)
	stop := errors.New("enough")
	err = root.stream(t.Context(), []entry{all["/large"]}, func(int, io.Reader) error { return stop })
	assert.ErrorIs(t, err, stop)
}

// A partition may start between the blocks of the host's file system.
func TestLeftoversOfBlocksThatAreNotAligned(t *testing.T) {
	path := filepath.Join(t.TempDir(), "disk.raw")
	content := make([]byte, 4096)
	for n := range content {
		content[n] = 'x'
	}
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	require.NoError(t, os.Truncate(path, 65536))
	writeAt(t, path, content, 8192)
	disk, err := os.Open(path)
	require.NoError(t, err)
	defer disk.Close()
	var found leftovers
	require.NoError(t, found.read(disk, 512, 65536, 4096))
	assert.Equal(t, leftovers{bytes: 8192}, found, "the data is in two blocks")
}
