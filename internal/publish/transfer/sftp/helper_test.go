package sftp

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"

	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/transfer"
)

const imageSize = 12 << 20

// image is a file of random bytes.
func image(t testing.TB, size int) transfer.File {
	t.Helper()
	content := make([]byte, size)
	_, _ = rand.Read(content)
	path := filepath.Join(t.TempDir(), "image.qcow2")
	require.NoError(t, os.WriteFile(path, content, 0o600))
	sum := sha256.Sum256(content)
	return transfer.File{Path: path, Name: "it's-1.0.0.qcow2", Size: int64(size), SHA256: hex.EncodeToString(sum[:])}
}

// quick is a method that does not wait between attempts.
func quick(options Options) *Method {
	m := New(options)
	m.retries.Pause, m.retries.MaxPause = time.Millisecond, time.Millisecond
	return m
}

// assertArrived compares what is at the destination with the file, and that nothing is
// beside it.
func assertArrived(t *testing.T, options Options, file transfer.File) {
	t.Helper()
	target := filepath.Join(options.Directory, file.Name)
	want, err := os.ReadFile(file.Path)
	require.NoError(t, err)
	got, err := os.ReadFile(target)
	require.NoError(t, err)
	assert.Equal(t, sha256.Sum256(want), sha256.Sum256(got))
	info, err := os.Stat(target)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o644), info.Mode(), "oneadmin must be able to read it")
	assert.Equal(t, []string{file.Name}, names(t, options.Directory))
}

func names(t *testing.T, directory string) []string {
	t.Helper()
	entries, err := os.ReadDir(directory)
	require.NoError(t, err)
	var found []string
	for _, entry := range entries {
		found = append(found, entry.Name())
	}
	return found
}

// leave puts a part of file at the destination, as an interrupted run does.
func leave(t *testing.T, options Options, file transfer.File, content []byte) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(options.Directory, file.Name+".part"), content, 0o600))
}
