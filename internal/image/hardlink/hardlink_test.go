package hardlink

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/progress"
)

func write(t *testing.T, path, content string, mode fs.FileMode) string {
	t.Helper()
	require.NoError(t, os.WriteFile(path, []byte(content), mode))
	return path
}

// elsewhere is a file on another file system than that of temporary directories.
func elsewhere(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "hardlink-test-")
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, os.RemoveAll(dir)) })
	return write(t, filepath.Join(dir, "image"), "new", 0o640)
}

func names(t *testing.T, dir string) (found []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, entry := range entries {
		found = append(found, entry.Name())
	}
	return found
}

func sameFile(t *testing.T, a, b string) bool {
	t.Helper()
	first, err := os.Stat(a)
	require.NoError(t, err)
	second, err := os.Lstat(b)
	require.NoError(t, err)
	return os.SameFile(first, second)
}

func TestOrCopyLinks(t *testing.T) {
	for name, before := range map[string]func(t *testing.T, source, target string){
		"nothing":       func(*testing.T, string, string) {},
		"another file":  func(t *testing.T, _, target string) { write(t, target, "old", 0o600) },
		"the same file": func(t *testing.T, source, target string) { require.NoError(t, os.Link(source, target)) },
		"debris":        func(t *testing.T, _, target string) { write(t, target+Partial, "ha", 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			dir, into := t.TempDir(), t.TempDir()
			source, target := write(t, filepath.Join(dir, "image"), "new", 0o600), filepath.Join(into, "kept")
			before(t, source, target)
			alias := filepath.Join(dir, "alias")
			require.NoError(t, os.Symlink("image", alias))
			require.NoError(t, OrCopy(t.Context(), alias, target, nil))
			assert.True(t, sameFile(t, source, target), "a link to the file, not to the name")
			assert.Equal(t, []string{"kept"}, names(t, into))
		})
	}
}

func TestOrCopyCopiesWhereNoLinkIsPossible(t *testing.T) {
	source, into := elsewhere(t), t.TempDir()
	target := write(t, filepath.Join(into, "kept"), "old", 0o600)
	var said []string
	meter := progress.Lines("copy", 3, func(line string) { said = append(said, line) })
	require.NoError(t, OrCopy(t.Context(), source, target, meter))
	content, err := os.ReadFile(target)
	require.NoError(t, err)
	assert.Equal(t, "new", string(content))
	info, err := os.Stat(target)
	require.NoError(t, err)
	assert.Equal(t, fs.FileMode(0o640), info.Mode())
	assert.Equal(t, []string{"kept"}, names(t, into))
	assert.NotEmpty(t, said, "a copy takes long")
}

func TestACopyThatIsCancelledLeavesWhatWasThere(t *testing.T) {
	source, into := elsewhere(t), t.TempDir()
	target := write(t, filepath.Join(into, "kept"), "old", 0o600)
	stopped := errors.New("stopped by the user")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(stopped)
	assert.ErrorIs(t, OrCopy(ctx, source, target, nil), stopped)
	content, err := os.ReadFile(target)
	require.NoError(t, err)
	assert.Equal(t, "old", string(content))
	assert.Equal(t, []string{"kept"}, names(t, into))
}

func TestAMissingSourceIsTold(t *testing.T) {
	into := t.TempDir()
	assert.ErrorIs(t, OrCopy(t.Context(), filepath.Join(into, "none"), filepath.Join(into, "kept"), nil), fs.ErrNotExist)
	assert.Empty(t, names(t, into))
}
