package catalog

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// older makes the images those of a version that was made so many seconds earlier.
func older(images []image, by int64) []image {
	for i := range images {
		images[i].manifest.CreationTime -= by
	}
	return images
}

func copyTree(t *testing.T, from, to string) {
	t.Helper()
	output, err := exec.CommandContext(t.Context(), "cp", "-a", from, to).CombinedOutput()
	require.NoError(t, err, "%s", output)
}

func newKeyFile(t *testing.T) (secret, public string) {
	t.Helper()
	dir := t.TempDir()
	secret, public = filepath.Join(dir, "key"), filepath.Join(dir, "key.pub")
	output, err := exec.CommandContext(t.Context(), "minisign", "-GW", "-s", secret, "-p", public).CombinedOutput()
	require.NoError(t, err, "run make setup: %s", output)
	return secret, public
}

// checkWhole finds everything in the state in which a cloud may read it, whichever list it
// is: digests and signature are good, and each app that has an image leads to it.
func checkWhole(t *testing.T, dir, public string) {
	t.Helper()
	verify(t, dir, public)
	checked := checkSums(t, dir)
	for _, e := range readEntries(t, dir).entries {
		if e.own.image() == "" {
			continue
		}
		assert.Contains(t, checked, "images/"+e.own.image())
		through, err := os.Stat(filepath.Join(dir, appsDir, e.id, "download", "0"))
		require.NoError(t, err, e.name)
		direct, err := os.Stat(filepath.Join(dir, imagesDir, e.own.image()))
		require.NoError(t, err, e.name)
		assert.True(t, os.SameFile(through, direct))
	}
}

// accident is what befalls a publishing process at the nth of the system calls of a kind.
type accident struct {
	name string
	// inject is strace's word for it.
	inject string
	calls  []string
}

func TestAnAccidentAnywhereLeavesOneOfTheTwoLists(t *testing.T) {
	// In memory: that many runs would wait for the disk for minutes.
	memory, err := os.MkdirTemp("/dev/shm", "catalog-test-")
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, os.RemoveAll(memory)) })
	t.Setenv("TMPDIR", memory)

	secret, public := newKeyFile(t)
	parent := t.TempDir()
	dir, saved := filepath.Join(parent, "market"), filepath.Join(parent, "saved")
	for i, version := range []string{"1.0.0", "1.1.0"} {
		job{dir: dir, version: version, key: secret, images: older(newSet(t), int64(9-i))}.mustRun(t)
	}
	copyTree(t, dir, saved)
	oldNames := names(readEntries(t, dir))

	// It removes the oldest version.
	next := job{dir: dir, version: "1.2.0", key: secret, images: newSet(t)}
	restore := func() {
		require.NoError(t, os.RemoveAll(dir))
		copyTree(t, saved, dir)
	}
	settled := func() map[string]string {
		next.mustRun(t)
		require.NoError(t, open(t, dir).Close()) // Removes the last list but one.
		return tree(t, dir)
	}
	restore()
	want := settled()
	newNames := names(readEntries(t, dir))

	for _, a := range []accident{
		{"killed", "signal=KILL", []string{"mkdirat", "linkat", "symlinkat", "renameat", "unlinkat"}},
		{"refused", "error=EIO", []string{"mkdirat", "symlinkat", "renameat", "fsync"}},
	} {
		t.Run(a.name, func(t *testing.T) {
			happened := map[bool]int{}
			for _, call := range a.calls {
				for n := 1; ; n++ {
					restore()
					output, err := next.command(t, "strace", "-qq", "-o", filepath.Join(parent, "strace"), "-e", "trace="+call,
						"-e", fmt.Sprintf("inject=%s:%s:when=%d", call, a.inject, n)).CombinedOutput()
					if err == nil {
						break // It makes fewer of these calls.
					}
					var exit *exec.ExitError
					require.ErrorAs(t, err, &exit, "run make setup: %s", output)
					where := fmt.Sprintf("%s %d: %s", call, n, output)
					if a.name == "killed" {
						require.Equal(t, syscall.SIGKILL, exit.Sys().(syscall.WaitStatus).Signal(), where)
					} else {
						require.Contains(t, string(output), "input/output error", where)
					}
					checkWhole(t, dir, public)
					is := names(readEntries(t, dir))
					replaced := assert.ObjectsAreEqual(newNames, is)
					if !replaced {
						require.Equal(t, oldNames, is, where)
					}
					happened[replaced]++
					require.Equal(t, want, settled(), where)
				}
			}
			assert.Greater(t, happened[false], 20, "before the list was replaced")
			assert.Positive(t, happened[true], "afterwards")
		})
	}
}

// The kernel refuses to write in the middle of a file, as it does on a full disk: of the
// image, of the app, or, when the others are written, of the list alone.
func TestAFullDiskLeavesTheOldCatalog(t *testing.T) {
	secret, public := newKeyFile(t)
	dir := filepath.Join(t.TempDir(), "market")
	for i, version := range []string{"1.0.0", "1.1.0"} {
		job{dir: dir, version: version, key: secret, images: older(newSet(t), int64(9-i))}.mustRun(t)
	}
	require.NoError(t, open(t, dir).Close()) // Removes the list of 1.0.0 alone.
	before := tree(t, dir)
	list, err := os.Stat(filepath.Join(dir, listFile))
	require.NoError(t, err)

	memory, err := os.MkdirTemp("/dev/shm", "catalog-test-")
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, os.RemoveAll(memory)) })
	large := newImage(t, memory, 1<<20) // On another file system: it is copied.
	small := newSet(t)
	for name, test := range map[string]struct {
		images []image
		limit  int64
		file   string
	}{
		"the image": {[]image{large}, 1 << 19, imagesDir},
		"the app":   {small, 1000, appsDir},
		"the list":  {small, list.Size() - 1, listsDir},
	} {
		t.Run(name, func(t *testing.T) {
			full := job{dir: dir, version: "1.2.0", key: secret, images: test.images, fileSize: test.limit}
			output, err := full.command(t).CombinedOutput()
			require.Error(t, err)
			assert.Contains(t, string(output), filepath.Join(dir, test.file))
			assert.Contains(t, string(output), "file too large")
			assert.Equal(t, before, tree(t, dir))
			checkWhole(t, dir, public)
		})
	}
	job{dir: dir, version: "1.2.0", key: secret, images: small}.mustRun(t)
	checkWhole(t, dir, public)
	assert.Contains(t, names(readEntries(t, dir)), "SLM-Copilot 1.2.0")
}

func TestTwoProcessesAtOnce(t *testing.T) {
	secret, public := newKeyFile(t)
	dir := filepath.Join(t.TempDir(), "market")
	var running []*exec.Cmd
	for _, version := range []string{"1.0.0", "1.1.0"} {
		process := job{dir: dir, version: version, key: secret, images: newSet(t)}.command(t)
		process.Stdout, process.Stderr = os.Stdout, os.Stderr
		require.NoError(t, process.Start())
		running = append(running, process)
	}
	for _, process := range running {
		assert.NoError(t, process.Wait())
	}
	assert.Len(t, names(readEntries(t, dir)), 6)
	checkWhole(t, dir, public)
	assert.NoFileExists(t, filepath.Join(dir, lockName))
}
