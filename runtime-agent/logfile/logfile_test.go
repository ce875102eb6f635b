package logfile

import (
	"bytes"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func noon() time.Time {
	return time.Date(2026, 11, 22, 13, 0, 0, 0, time.FixedZone("CET", 3600))
}

func TestLog(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dir", "log")
	var stderr bytes.Buffer
	for range 2 {
		log := Open(path, &stderr, noon)
		log.Info("a %d", 1)
		log.Error("b\nc\n")
		require.NoError(t, log.Close())
	}
	const once = "2026-11-22T12:00:00Z INFO  a 1\n2026-11-22T12:00:00Z ERROR b\n2026-11-22T12:00:00Z ERROR c\n"
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, once+once, string(content), "it is appended to")
	assert.Equal(t, once+once, stderr.String())
	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, fs.FileMode(0o640), info.Mode())
}

func TestLogsToStandardErrorWithoutAFile(t *testing.T) {
	dir := t.TempDir()
	var stderr bytes.Buffer
	log := Open(dir, &stderr, noon)
	log.Info("still logged")
	require.NoError(t, log.Close())
	assert.Contains(t, stderr.String(), "WARN  log to standard error only")
	assert.Contains(t, stderr.String(), "still logged")
}

func TestALongLogIsRotated(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	require.NoError(t, os.WriteFile(path, bytes.Repeat([]byte("x"), maxSize+1), 0o640))
	log := Open(path, io.Discard, time.Now)
	log.Info("a new start")
	require.NoError(t, log.Close())
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Regexp(t, `^\S+ INFO  a new start\n$`, string(content))
	assert.FileExists(t, path+".1")
}

func TestWhoReadsTheLogSeesTextOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	log := Open(path, io.Discard, time.Now)
	log.Warn("the server says %s", "\x1b[2J\rall is well")
	require.NoError(t, log.Close())
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Contains(t, string(text), "the server says  [2J all is well\n")
}

func TestALogThatIsAFIFOHoldsNobodyUp(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	require.NoError(t, syscall.Mkfifo(path, 0o600))
	var stderr strings.Builder
	Open(path, &stderr, time.Now).Info("hello")
	assert.Contains(t, stderr.String(), "log to standard error only")
	assert.Contains(t, stderr.String(), "hello")
}
