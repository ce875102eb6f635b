package modeldisk

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/hostprogram"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/qemuimg"
)

func TestMain(m *testing.M) {
	if err := hostprogram.TryOut(context.Background(), TryOut); err != nil {
		fmt.Fprintf(os.Stderr, "%v: run make setup\n", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// weights makes a file of some bytes, whose name a program could misread.
func weights(t *testing.T, size int) (Weights, []byte) {
	t.Helper()
	content := make([]byte, size)
	seed := [32]byte{1}
	_, _ = rand.NewChaCha8(seed).Read(content)
	path := filepath.Join(t.TempDir(), `a "b" c.gguf`)
	require.NoError(t, os.WriteFile(path, content, 0o600))
	sum := sha256.Sum256(content)
	return Weights{Name: "model.gguf", Path: path, SHA256: hex.EncodeToString(sum[:]), Size: int64(size)}, content
}

// raw is the disk that an image shows a machine.
func raw(t *testing.T, image string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "raw")
	info, err := qemuimg.Inspect(image)
	require.NoError(t, err)
	require.NoError(t, qemuimg.ToRaw(t.Context(), image, qemuimg.Part{Size: info.VirtualSize}, path, func(string) {}))
	return path
}

// ask runs a command of debugfs on a raw disk.
func ask(t *testing.T, disk, command string) string {
	t.Helper()
	program, err := hostprogram.Find(debugfs, distributionPackage)
	require.NoError(t, err)
	output, err := exec.Command(program, "-R", command, disk).CombinedOutput()
	require.NoError(t, err, "%s", output)
	return string(output)
}

func TestWriteHoldsTheWeights(t *testing.T) {
	const size = 3<<20 + 4097 // no multiple of any block
	w, content := weights(t, size)
	target := filepath.Join(t.TempDir(), "one,two.qcow2")
	var said bytes.Buffer
	require.NoError(t, Write(t.Context(), []Weights{w}, target, func(line string) { said.WriteString(line + "\n") }))

	t.Setenv("TZ", "UTC")
	disk := raw(t, target)
	out := filepath.Join(t.TempDir(), "out")
	ask(t, disk, "dump model.gguf "+out)
	got, err := os.ReadFile(out)
	require.NoError(t, err)
	assert.True(t, bytes.Equal(content, got), "every byte is there")

	stat := ask(t, disk, "stat model.gguf")
	assert.Contains(t, stat, "Mode:  0444")
	assert.Regexp(t, `User:\s+0\s+Group:\s+0\s`, stat)
	about := ask(t, disk, "stats")
	assert.Contains(t, about, "Filesystem volume name:   slm-model\n")
	assert.Contains(t, about, "Reserved block count:     0\n")
	assert.NotContains(t, about, "has_journal")
	// Every disk is made in the first second of 1970, so that none differs by its time.
	assert.Regexp(t, `Filesystem created: +Thu Jan  1 00:00:01 1970`, about)
	assert.Regexp(t, `Last write time: +Thu Jan  1 00:00:01 1970`, about)
	for _, kind := range []string{"ctime", "atime", "mtime", "crtime"} {
		assert.Contains(t, stat, kind+": 0x00000001:00000000")
	}
	assert.Contains(t, said.String(), "copy the weights to their disk: 3.0 MiB")

	entries, err := os.ReadDir(filepath.Dir(target))
	require.NoError(t, err)
	assert.Len(t, entries, 1, "the raw copy is gone")
	info, err := os.Stat(target)
	require.NoError(t, err)
	assert.Less(t, info.Size(), int64(size+2<<20), "free space takes no room")
}

func TestWriteIsTheSameForTheSameWeights(t *testing.T) {
	w, _ := weights(t, 5<<20)
	directory := t.TempDir()
	var images [2][]byte
	for i := range images {
		target := filepath.Join(directory, strconv.Itoa(i))
		require.NoError(t, Write(t.Context(), []Weights{w}, target, func(string) {}))
		var err error
		images[i], err = os.ReadFile(target)
		require.NoError(t, err)
	}
	assert.True(t, bytes.Equal(images[0], images[1]))
}

func TestWriteHoldsSeveralModels(t *testing.T) {
	first, content := weights(t, 2<<20+1)
	all := []Weights{first}
	// More files than the disk of one model has inodes.
	for i := range 20 {
		path := filepath.Join(t.TempDir(), "weights")
		require.NoError(t, os.WriteFile(path, content[:5000+i], 0o600))
		sum := sha256.Sum256(content[:5000+i])
		all = append(all, Weights{Name: fmt.Sprintf("Model_%d-x.gguf", i), Path: path, SHA256: hex.EncodeToString(sum[:]), Size: int64(5000 + i)})
	}
	target := filepath.Join(t.TempDir(), "a.qcow2")
	require.NoError(t, Write(t.Context(), all, target, func(string) {}))
	disk := raw(t, target)
	for _, w := range all {
		out := filepath.Join(t.TempDir(), "out")
		ask(t, disk, "dump "+w.Name+" "+out)
		got, err := os.ReadFile(out)
		require.NoError(t, err)
		assert.True(t, bytes.Equal(content[:w.Size], got), w.Name)
		assert.Contains(t, ask(t, disk, "stat "+w.Name), "Mode:  0444")
	}

	slices.Reverse(all)
	again := filepath.Join(t.TempDir(), "b.qcow2")
	require.NoError(t, Write(t.Context(), all, again, func(string) {}))
	one, err := os.ReadFile(target)
	require.NoError(t, err)
	other, err := os.ReadFile(again)
	require.NoError(t, err)
	assert.True(t, bytes.Equal(one, other), "in any order")
}

func TestContent(t *testing.T) {
	a := Weights{Name: "model.gguf", SHA256: strings.Repeat("a", 64)}
	b := Weights{Name: "b.gguf", SHA256: strings.Repeat("b", 64)}
	renamed := b
	renamed.Name = "c.gguf"
	assert.Equal(t, a.SHA256, Content([]Weights{a}))
	// printf '%s  %s\n' bbb... b.gguf aaa... model.gguf | sha256sum
	assert.Equal(t, "ad8de2863517078234d9b85efaaf93e462904565080595a50352f47ffdfcddcb", Content([]Weights{a, b}))
	assert.Equal(t, Content([]Weights{a, b}), Content([]Weights{b, a}))
	assert.NotEqual(t, Content([]Weights{a, b}), Content([]Weights{a, renamed}))
}

// Weights of real models do not fit into a test, but what is free for them can be asked.
func TestTheDiskIsLargeEnough(t *testing.T) {
	free := regexp.MustCompile(`Free blocks:\s+([0-9]+)`)
	for _, size := range []int64{1, 4096, 1 << 20, 128 << 20, 14334446752, 200 << 30} {
		w := Weights{Name: "model.gguf", Path: "/dev/null", SHA256: hex.EncodeToString(make([]byte, 32)), Size: size}
		f := fileSystem{directory: t.TempDir(), weights: []Weights{w}}
		require.NoError(t, f.prepare())
		require.NoError(t, f.format(t.Context()))
		blocks, err := strconv.ParseInt(free.FindStringSubmatch(ask(t, f.image(), "stats"))[1], 10, 64)
		require.NoError(t, err)
		// One block of extents points to 340 of up to 128 MiB each.
		needed := (size+4095)/4096 + size/(128<<20)/340 + 2
		assert.GreaterOrEqual(t, blocks, needed, "%d bytes", size)
		assert.LessOrEqual(t, f.imageSize(), size+size/256+9<<20, "%d bytes", size)
	}
}

func TestWriteLeavesNothingWhenItFails(t *testing.T) {
	good, _ := weights(t, 1<<20)
	short := good
	short.Size += 10
	missing := good
	missing.Path = filepath.Join(t.TempDir(), "none")
	cancelled, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("Ctrl-C"))
	tests := map[string]struct {
		ctx     context.Context
		weights Weights
		want    string
	}{
		"no such file": {t.Context(), missing, "debugfs did not write all of it"},
		"another size": {t.Context(), short, "debugfs did not write all of it"},
		"cancelled":    {cancelled, good, "Ctrl-C"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			directory := t.TempDir()
			err := Write(test.ctx, []Weights{test.weights}, filepath.Join(directory, "a.qcow2"), func(string) {})
			require.ErrorContains(t, err, test.want)
			entries, err := os.ReadDir(directory)
			require.NoError(t, err)
			assert.Empty(t, entries)
		})
	}
}

// A file system that is too small is noticed, though debugfs ends well.
func TestAFullFileSystemIsNoticed(t *testing.T) {
	w, _ := weights(t, 4<<20)
	f := fileSystem{directory: t.TempDir(), weights: []Weights{w}}
	require.NoError(t, f.prepare())
	require.NoError(t, os.Truncate(f.image(), 2<<20))
	require.NoError(t, f.format(t.Context()))
	err := f.fill(t.Context(), nil)
	require.ErrorContains(t, err, "debugfs did not write all of it")
	assert.ErrorContains(t, err, "Could not allocate block")
}
