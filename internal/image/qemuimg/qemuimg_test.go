package qemuimg

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/progress"
)

const (
	mebibyte = 1 << 20

	waitLimit    = 30 * time.Second
	pollInterval = time.Millisecond
)

// makeImage writes a QCOW2 of 64 MiB with the given content at its beginning.
func makeImage(t *testing.T, content []byte) string {
	t.Helper()
	require.NoError(t, Available(), "run make setup")
	directory := t.TempDir()
	raw := filepath.Join(directory, "disk.raw")
	require.NoError(t, os.WriteFile(raw, content, 0o600))
	require.NoError(t, os.Truncate(raw, 64*mebibyte))
	image := filepath.Join(directory, "disk.qcow2")
	output, err := exec.Command(Program, "convert", "-O", Format, raw, image).CombinedOutput()
	require.NoError(t, err, "%s", output)
	return image
}

// content of the disk an image shows, as qemu-img itself sees it.
func disk(t *testing.T, image string) []byte {
	t.Helper()
	raw := filepath.Join(t.TempDir(), "disk.raw")
	output, err := exec.Command(Program, "convert", "-O", "raw", image, raw).CombinedOutput()
	require.NoError(t, err, "%s", output)
	content, err := os.ReadFile(raw)
	require.NoError(t, err)
	return content
}

func random(t *testing.T, size int) []byte {
	t.Helper()
	content := make([]byte, size)
	_, err := rand.Read(content)
	require.NoError(t, err)
	return content
}

func TestInspect(t *testing.T) {
	info, err := Inspect(makeImage(t, random(t, mebibyte)))
	require.NoError(t, err)
	assert.Equal(t, Info{VirtualSize: 64 * mebibyte, Compression: "zlib"}, info)
}

func TestInspectSaysWhatIsWrong(t *testing.T) {
	image := makeImage(t, nil)
	directory := filepath.Dir(image)
	header, err := os.ReadFile(image)
	require.NoError(t, err)
	cut := filepath.Join(directory, "cut.qcow2")
	require.NoError(t, os.WriteFile(cut, header[:20], 0o600))
	garbage := filepath.Join(directory, "garbage")
	require.NoError(t, os.WriteFile(garbage, random(t, 4096), 0o600))

	for path, want := range map[string]string{
		filepath.Join(directory, "none.qcow2"): "no such file or directory",
		directory:                              "is a directory, not a disk image",
		cut:                                    "its header is cut off",
		garbage:                                "not a QCOW2 image",
	} {
		_, err := Inspect(path)
		require.Error(t, err)
		assert.ErrorContains(t, err, want)
		assert.ErrorContains(t, err, path)
	}
}

func TestMissingToolNamesItsPackage(t *testing.T) {
	image := makeImage(t, nil)
	t.Setenv("PATH", t.TempDir())
	assert.ErrorContains(t, Check(context.Background(), image), "install the package qemu-utils")
}

// A name with a colon would be a protocol to qemu-img.
func TestNamesWithColonsAreFiles(t *testing.T) {
	image := makeImage(t, nil)
	t.Chdir(filepath.Dir(image))
	require.NoError(t, os.Rename(image, "nbd:host.qcow2"))
	assert.NoError(t, Check(context.Background(), "nbd:host.qcow2"))
}

func TestCreateOverlay(t *testing.T) {
	content := random(t, mebibyte)
	backing := makeImage(t, content)
	t.Chdir(filepath.Dir(backing))
	overlay := filepath.Join(t.TempDir(), "overlay.qcow2")
	require.NoError(t, CreateOverlay(context.Background(), "disk.qcow2", overlay))

	info, err := Inspect(overlay)
	require.NoError(t, err)
	assert.Equal(t, backing, info.Backing, "the backing path is absolute, so that the overlay may be moved")
	assert.Equal(t, int64(64*mebibyte), info.VirtualSize)
	assert.Equal(t, content, disk(t, overlay)[:mebibyte])

	assert.ErrorIs(t, CreateOverlay(context.Background(), backing, overlay), os.ErrExist)
	other := filepath.Join(t.TempDir(), "other.qcow2")
	assert.ErrorIs(t, CreateOverlay(context.Background(), backing+".none", other), os.ErrNotExist)
	assert.NoFileExists(t, other)
}

func TestCreateOverlayOfGarbageLeavesNothing(t *testing.T) {
	garbage := filepath.Join(t.TempDir(), "garbage")
	require.NoError(t, os.WriteFile(garbage, random(t, 4096), 0o600))
	overlay := filepath.Join(t.TempDir(), "overlay.qcow2")
	assert.ErrorIs(t, CreateOverlay(context.Background(), garbage, overlay), ErrNotQCOW2)
	assert.NoFileExists(t, overlay)
}

func TestCompactFlattensAndKeepsTheDisk(t *testing.T) {
	content := append(random(t, mebibyte), make([]byte, 8*mebibyte)...)
	backing := makeImage(t, content)
	overlay := filepath.Join(t.TempDir(), "overlay.qcow2")
	require.NoError(t, CreateOverlay(context.Background(), backing, overlay))
	target := filepath.Join(t.TempDir(), "compact.qcow2")
	var lines []string
	require.NoError(t, Compact(context.Background(), overlay, target, func(line string) { lines = append(lines, line) }))

	info, err := Inspect(target)
	require.NoError(t, err)
	assert.Equal(t, "zstd", info.Compression)
	assert.Empty(t, info.Backing)
	status, err := os.Stat(target)
	require.NoError(t, err)
	assert.Less(t, status.Size(), int64(2*mebibyte))
	assert.Equal(t, disk(t, backing), disk(t, target))
	require.NoError(t, Check(context.Background(), target))
	require.Len(t, lines, 1)
	assert.Contains(t, lines[0], "compact compact.qcow2: 64.0 MiB in ", "the meter was driven to its end")
}

func TestCancelledCompactLeavesNothing(t *testing.T) {
	image := makeImage(t, random(t, 32*mebibyte))
	directory := t.TempDir()
	target := filepath.Join(directory, "compact.qcow2")
	ctx, cancel := context.WithCancel(context.Background())
	finished := make(chan error)
	go func() { finished <- Compact(ctx, image, target, func(string) {}) }()
	require.Eventually(t, func() bool {
		_, err := os.Stat(target + partialSuffix)
		return err == nil
	}, waitLimit, pollInterval)
	cancel()
	require.ErrorIs(t, <-finished, context.Canceled)

	left, err := os.ReadDir(directory)
	require.NoError(t, err)
	assert.Empty(t, left)
}

func TestCompactOfADamagedImageLeavesNothing(t *testing.T) {
	image := makeImage(t, random(t, 4*mebibyte))
	require.NoError(t, os.Truncate(image, mebibyte))
	directory := t.TempDir()
	err := Compact(context.Background(), image, filepath.Join(directory, "compact.qcow2"), func(string) {})
	require.ErrorContains(t, err, "it is damaged")
	assert.Less(t, strings.Count(err.Error(), "\n"), 5, "one line per cluster is too much")
	left, err := os.ReadDir(directory)
	require.NoError(t, err)
	assert.Empty(t, left)
}

func TestCheckFindsDamage(t *testing.T) {
	image := makeImage(t, random(t, 4*mebibyte))
	require.NoError(t, Check(context.Background(), image))

	file, err := os.OpenFile(image, os.O_RDWR, 0)
	require.NoError(t, err)
	// The refcount table of a new image is its second cluster (docs/interop/qcow2.txt).
	_, err = file.WriteAt(make([]byte, 65536), 65536)
	require.NoError(t, err)
	require.NoError(t, file.Close())
	assert.ErrorContains(t, Check(context.Background(), image), "it is damaged")
}

func TestPercentSurvivesAnySplit(t *testing.T) {
	const output = "    (0.00/100%)\r    (12.34/100%)\r    (50.00/100%)\r"
	for split := range len(output) {
		var last string
		meter := progress.Lines("x", 1000, func(line string) { last = line })
		writer := newPercent(meter, 1000)
		for _, part := range []string{output[:split], output[split:]} {
			_, err := fmt.Fprint(writer, part)
			require.NoError(t, err)
		}
		meter.Finish()
		assert.Contains(t, last, "x: 500 B", "split at %d", split)
	}
}

func FuzzPercent(f *testing.F) {
	f.Add([]byte("    (12.34/100%)\r"))
	f.Add([]byte("(999.99/100%)"))
	f.Fuzz(func(t *testing.T, output []byte) {
		writer := &percent{meter: nil, total: 1 << 40}
		n, err := writer.Write(output)
		require.NoError(t, err)
		assert.Equal(t, len(output), n)
		assert.LessOrEqual(t, len(writer.rest), longestReport)
	})
}
