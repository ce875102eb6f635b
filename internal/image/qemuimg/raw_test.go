package qemuimg

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestToRawKeepsTheDiskAndItsHoles(t *testing.T) {
	content := random(t, mebibyte)
	image := makeImage(t, content)
	target := filepath.Join(t.TempDir(), "disk.raw")
	var lines []string
	require.NoError(t, ToRaw(context.Background(), image, Part{0, 64 * mebibyte}, target, func(line string) { lines = append(lines, line) }))

	raw, err := os.ReadFile(target)
	require.NoError(t, err)
	require.Len(t, raw, 64*mebibyte)
	assert.Equal(t, content, raw[:mebibyte])
	var status unix.Stat_t
	require.NoError(t, unix.Stat(target, &status))
	assert.Less(t, status.Blocks*512, int64(2*mebibyte))
	require.Len(t, lines, 1)
	assert.Contains(t, lines[0], "unpack disk.qcow2: 64.0 MiB in ")
}

func TestToRawOfAPart(t *testing.T) {
	content := random(t, mebibyte)
	// The name holds what ends a value in the words of qemu-img.
	image := filepath.Join(t.TempDir(), "a,b=c.qcow2")
	require.NoError(t, os.Rename(makeImage(t, content), image))
	target := filepath.Join(t.TempDir(), "part.raw")
	require.NoError(t, ToRaw(context.Background(), image, Part{512, 4096}, target, func(string) {}))
	raw, err := os.ReadFile(target)
	require.NoError(t, err)
	assert.Equal(t, content[512:512+4096], raw)
	assert.ErrorContains(t, ToRaw(context.Background(), image, Part{64 * mebibyte, 4096}, target, func(string) {}), "unpack "+image)
}

func TestToRawThatFailsLeavesNothing(t *testing.T) {
	image := makeImage(t, random(t, 4*mebibyte))
	require.NoError(t, os.Truncate(image, 100))
	directory := t.TempDir()
	require.Error(t, ToRaw(context.Background(), image, Part{0, 64 * mebibyte}, filepath.Join(directory, "disk.raw"), func(string) {}))

	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	err := ToRaw(ctx, makeImage(t, nil), Part{0, 64 * mebibyte}, filepath.Join(directory, "disk.raw"), func(string) {})
	require.ErrorIs(t, err, context.Canceled)

	left, err := os.ReadDir(directory)
	require.NoError(t, err)
	assert.Empty(t, left)
}

func TestDataSizeIsWhatARawCopyOccupies(t *testing.T) {
	size, err := DataSize(context.Background(), makeImage(t, random(t, mebibyte)))
	require.NoError(t, err)
	assert.Equal(t, int64(mebibyte), size)

	_, err = DataSize(context.Background(), filepath.Join(t.TempDir(), "none.qcow2"))
	assert.ErrorContains(t, err, "none.qcow2")
}

func FuzzParseMap(f *testing.F) {
	f.Add([]byte(`[{ "start": 0, "length": 65536, "depth": 0, "present": true, "zero": false, "data": true, "compressed": true}]`))
	f.Add([]byte(`[{"length": -1}]`))
	f.Fuzz(func(t *testing.T, answer []byte) {
		if size, err := parseMap(answer); err == nil {
			assert.GreaterOrEqual(t, size, int64(0))
		}
	})
}
