package digest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/progress"
)

func write(t testing.TB, size int) string {
	t.Helper()
	content := make([]byte, size)
	_, _ = rand.New(rand.NewSource(1)).Read(content)
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, content, 0o600))
	return path
}

// The judges are md5sum, sha1sum and sha256sum.
func TestFileAgreesWithTheSystem(t *testing.T) {
	for _, size := range []int{0, 1, blockSize - 1, blockSize, blockSize + 1, (blocks + 1) * blockSize, 9*blockSize + 7} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			path := write(t, size)
			var last string
			meter := progress.Lines("digest", int64(size), func(line string) { last = line })
			got, err := File(context.Background(), path, meter)
			require.NoError(t, err)
			assert.Equal(t, Digests{
				Size:   int64(size),
				MD5:    system(t, "md5sum", path),
				SHA1:   system(t, "sha1sum", path),
				SHA256: system(t, "sha256sum", path),
			}, got)
			meter.Finish()
			assert.Contains(t, last, progress.Bytes(int64(size)), "all of it was counted")
		})
	}
}

func system(t testing.TB, tool, path string) string {
	t.Helper()
	output, err := exec.Command(tool, path).Output()
	require.NoError(t, err)
	return strings.Fields(string(output))[0]
}

func TestFileOfAMissingFile(t *testing.T) {
	_, err := File(context.Background(), filepath.Join(t.TempDir(), "none"), nil)
	assert.ErrorIs(t, err, os.ErrNotExist)
}

func TestFileStopsWhenCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := File(ctx, write(t, blockSize), nil)
	assert.ErrorIs(t, err, context.Canceled)
}

func TestFeedReportsReadErrors(t *testing.T) {
	broken := errors.New("the disk is broken")
	r := io.MultiReader(bytes.NewReader(make([]byte, 3*blockSize)), iotest.ErrReader(broken))
	_, err := feed(context.Background(), r, []hash.Hash{sha256.New()})
	assert.ErrorIs(t, err, broken)
}
