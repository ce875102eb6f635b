package guardedfile

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, []byte("12345"), 0o600))
	content, err := Read(path, 5)
	require.NoError(t, err)
	assert.Equal(t, "12345", string(content))
	_, err = Read(path, 4)
	assert.EqualError(t, err, "read "+path+": it is larger than 4 bytes")
	_, err = Read(path+"-absent", 5)
	assert.ErrorIs(t, err, fs.ErrNotExist)
}

// A FIFO would hold a plain open up for ever, and /dev/zero a plain read.
func TestWhatIsNotAFileHoldsNobodyUp(t *testing.T) {
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	require.NoError(t, syscall.Mkfifo(fifo, 0o600))
	content, err := Read(fifo, 10)
	require.NoError(t, err)
	assert.Empty(t, content, "nobody writes to it")
	for _, path := range []string{"/dev/zero", "/dev/null", "/dev/urandom", dir} {
		_, err := Read(path, 10)
		assert.ErrorContains(t, err, "a device or a directory, not a file", path)
	}
}

func TestAFIFOIsReadLikeTheOutputOfACommand(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "fifo")
	require.NoError(t, syscall.Mkfifo(fifo, 0o600))
	writer, err := os.OpenFile(fifo, os.O_RDWR, 0)
	require.NoError(t, err)
	file, err := Open(fifo)
	require.NoError(t, err)
	defer file.Close()
	_, err = writer.WriteString("secret\n")
	require.NoError(t, err)
	buffer := make([]byte, 100)
	n, err := file.Read(buffer)
	require.NoError(t, err)
	assert.Equal(t, "secret\n", string(buffer[:n]))

	require.NoError(t, writer.Close())
}

func TestASpecialFileHasADeadline(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "fifo")
	require.NoError(t, syscall.Mkfifo(fifo, 0o600))
	writer, err := os.OpenFile(fifo, os.O_RDWR, 0)
	require.NoError(t, err)
	defer writer.Close()
	_, err = Read(fifo, 10) // a silent writer: this ends with the deadline or never
	assert.ErrorIs(t, err, os.ErrDeadlineExceeded)
}
