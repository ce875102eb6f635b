package atomicfile

import (
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	var found []string
	for _, entry := range entries {
		found = append(found, entry.Name())
	}
	return found
}

func TestWriteReplacesAndSetsTheMode(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a")
	require.NoError(t, os.WriteFile(path, []byte("a much longer old content"), 0o644))
	owner := &Owner{UID: os.Getuid(), GID: os.Getgid()}
	require.NoError(t, Write(path, []byte("new"), 0o600, owner))

	content, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, "new", string(content))
	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, fs.FileMode(0o600), info.Mode())
	assert.Equal(t, []string{"a"}, names(t, dir), "no temporary file stays")
}

func TestWriteRefusesWhatIsNotARegularFile(t *testing.T) {
	dir := t.TempDir()
	victim := filepath.Join(dir, "victim")
	require.NoError(t, os.WriteFile(victim, []byte("old"), 0o644))
	link := filepath.Join(dir, "link")
	require.NoError(t, os.Symlink(victim, link))

	assert.ErrorContains(t, Write(link, []byte("new"), 0o600, nil), "is not a regular file")
	assert.ErrorContains(t, Write(dir, []byte("new"), 0o600, nil), "is not a regular file")
	content, err := os.ReadFile(victim)
	require.NoError(t, err)
	assert.Equal(t, "old", string(content))
}

// A full disk is played by a limit on the size of files.
func TestAFailedWriteLeavesTheOldFile(t *testing.T) {
	dir := t.TempDir()
	assert.ErrorIs(t, Write(filepath.Join(dir, "missing", "a"), nil, 0o600, nil), fs.ErrNotExist)

	path := filepath.Join(dir, "a")
	require.NoError(t, os.WriteFile(path, []byte("old"), 0o644))
	signal.Ignore(syscall.SIGXFSZ)
	defer signal.Reset(syscall.SIGXFSZ)
	var before syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_FSIZE, &before))
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 10, Max: before.Max}))
	err := Write(path, []byte("more than ten bytes"), 0o600, nil)
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &before))

	assert.ErrorIs(t, err, syscall.EFBIG)
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, "old", string(content))
	assert.Equal(t, []string{"a"}, names(t, dir))
}

func TestWriteIfChanged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	mine := &Owner{UID: os.Getuid(), GID: os.Getgid()}
	steps := []struct {
		content string
		mode    fs.FileMode
		changed bool
	}{
		{"one", 0o600, true},
		{"one", 0o600, false},
		{"two", 0o600, true},
		{"two", 0o644, true},
		{"two", 0o644, false},
	}
	for _, step := range steps {
		changed, err := WriteIfChanged(path, []byte(step.content), step.mode, mine)
		require.NoError(t, err)
		assert.Equal(t, step.changed, changed, "%+v", step)
	}
	same, err := Same(path, []byte("two"), 0o644, &Owner{UID: os.Getuid() + 1, GID: os.Getgid()})
	require.NoError(t, err)
	assert.False(t, same, "another owner is a difference")
}

func TestLink(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "link")
	assert.False(t, SameLink("one", path))
	require.NoError(t, Link("one", path))
	assert.True(t, SameLink("one", path))
	require.NoError(t, os.Symlink("debris", filepath.Join(dir, ".link.new-link")))
	require.NoError(t, Link("two", path), "debris of a killed run is not an obstacle")
	assert.True(t, SameLink("two", path))
	assert.Equal(t, []string{"link"}, names(t, dir))

	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o644))
	assert.ErrorContains(t, Link("one", file), "is not a symbolic link")
}

func TestStagedFilesReplaceNothingBeforeTheCommit(t *testing.T) {
	dir := t.TempDir()
	path, link := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	require.NoError(t, os.WriteFile(path, []byte("old"), 0o644))
	require.NoError(t, os.Symlink("old", link))
	file, err := Stage(path, []byte("new"), 0o600, nil)
	require.NoError(t, err)
	other, err := StageLink("new", link)
	require.NoError(t, err)
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, "old", string(content))
	assert.True(t, SameLink("old", link))

	require.NoError(t, file.Commit())
	require.NoError(t, other.Discard())
	content, err = os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, "new", string(content))
	assert.True(t, SameLink("old", link))
	assert.Equal(t, []string{"a", "b"}, names(t, dir))
}

func TestSweepRemovesWhatKilledWritersLeft(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a", ".a.new-1234", ".a.new-link", ".a.swp", ".ab.new-1", "b"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), nil, 0o600))
	}
	require.NoError(t, Sweep(filepath.Join(dir, "a")))
	assert.Equal(t, []string{".a.swp", ".ab.new-1", "a", "b"}, names(t, dir))
	require.NoError(t, Sweep(filepath.Join(dir, "missing", "a")))
}

func TestKeep(t *testing.T) {
	dir := t.TempDir()
	file, link, missing := filepath.Join(dir, "file"), filepath.Join(dir, "link"), filepath.Join(dir, "missing")
	require.NoError(t, os.WriteFile(file, []byte("old"), 0o640))
	require.NoError(t, os.Symlink("old", link))
	for _, commit := range []bool{false, true} {
		var kept []*Kept
		for _, path := range []string{file, link, missing} {
			k, err := Keep(path)
			require.NoError(t, err)
			kept = append(kept, k)
		}
		if commit {
			require.NoError(t, Write(file, []byte("new"), 0o600, nil))
			require.NoError(t, Link("new", link))
			require.NoError(t, Write(missing, []byte("new"), 0o600, nil))
		}
		for _, k := range kept {
			require.NoError(t, k.Restore())
		}
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		assert.Equal(t, "old", string(content))
		info, err := os.Stat(file)
		require.NoError(t, err)
		assert.Equal(t, fs.FileMode(0o640), info.Mode())
		assert.True(t, SameLink("old", link))
		assert.Equal(t, []string{"file", "link"}, names(t, dir))
	}

	k, err := Keep(file)
	require.NoError(t, err)
	require.NoError(t, Write(file, []byte("new"), 0o600, nil))
	require.NoError(t, k.Drop())
	assert.Equal(t, []string{"file", "link"}, names(t, dir))
}
