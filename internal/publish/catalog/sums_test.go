package catalog

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/signature"
)

// checkSums has the real sha256sum look at everything, and returns the names it looked at.
func checkSums(t *testing.T, dir string) []string {
	t.Helper()
	command := exec.CommandContext(t.Context(), "sha256sum", "--check", "--strict", sumsFile)
	command.Dir = dir
	output, err := command.CombinedOutput()
	require.NoError(t, err, "%s", output)
	var checked []string
	for line := range strings.Lines(string(output)) {
		name, ok := strings.CutSuffix(line, ": OK\n")
		require.True(t, ok, line)
		checked = append(checked, name)
	}
	return checked
}

func newKey(t *testing.T) (*signature.Key, string) {
	t.Helper()
	secret, public := newKeyFile(t)
	key, err := signature.ReadKey(secret, "")
	require.NoError(t, err)
	return key, public
}

func verify(t *testing.T, dir, public string) {
	t.Helper()
	command := exec.CommandContext(t.Context(), "minisign", "-Vm", sumsFile, "-p", public)
	command.Dir = dir
	output, err := command.CombinedOutput()
	require.NoError(t, err, "%s", output)
}

func TestSumsCoverTheListAndAllImages(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "market")
	old, _ := publish(t, dir, "1.0.0", newImage(t, t.TempDir(), 1000))
	assert.Len(t, checkSums(t, dir), 2)
	entry, _ := publish(t, dir, "1.1.0", newImage(t, t.TempDir(), 1000))
	assert.ElementsMatch(t, []string{listFile, "images/" + old.image(), "images/" + entry.image()}, checkSums(t, dir))
}

func TestSumsAreSortedAndGolden(t *testing.T) {
	l := foreign(t, `{"_id":{"$oid":"`+idA+`"},"name":"other","files":[{"url":"https://apps.example.org/images/other.qcow2","sha256":"00"}]}`)
	for _, entries := range [][]Entry{built(t, "1.0.0", "x86_64", 1795300000, 2), built(t, "1.0.1", "aarch64", 1795300001, 1)} {
		next, _, err := l.with(entries, 0)
		require.NoError(t, err)
		l = next
	}
	golden(t, "SHA256SUMS", l.sums([]byte("the list")))
	assert.EqualValues(t, 1795300001, l.newest())
}

func TestSignature(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "market")
	key, public := newKey(t)
	first, second := newSet(t), newSet(t)
	publishSet(t, dir, "1.0.0", first, Options{SigningKey: key})
	verify(t, dir, public)
	publishSet(t, dir, "1.1.0", second, Options{SigningKey: key})
	verify(t, dir, public)
	checkSums(t, dir)

	t.Run("the same again changes nothing", func(t *testing.T) {
		publishSet(t, dir, "1.1.0", second, Options{SigningKey: key}) // Removes the last but one list.
		before := tree(t, dir)
		publishSet(t, dir, "1.1.0", second, Options{SigningKey: key})
		assert.Equal(t, before, tree(t, dir))
	})
	t.Run("another key signs anew", func(t *testing.T) {
		other, otherPublic := newKey(t)
		publishSet(t, dir, "1.1.0", second, Options{SigningKey: other})
		verify(t, dir, otherPublic)
	})
	t.Run("no key leaves no signature of something else", func(t *testing.T) {
		publishSet(t, dir, "1.1.0", second, Options{})
		_, err := os.Lstat(filepath.Join(dir, signFile))
		assert.ErrorIs(t, err, os.ErrNotExist)
		checkSums(t, dir)
	})
}

// Editors replace the link by a file.
func TestAListEditedByHandIsTakenOver(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "market")
	publish(t, dir, "1.0.0", newImage(t, t.TempDir(), 1000))
	path := filepath.Join(dir, listFile)
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	edited := strings.Replace(string(content), `"appliances": [`, `"appliances": [{"_id":{"$oid":"`+idA+`"},"name":"by hand"},`, 1)
	require.NoError(t, os.Remove(path))
	require.NoError(t, os.WriteFile(path, []byte(edited), 0o644))
	publish(t, dir, "1.1.0", newImage(t, t.TempDir(), 1000))
	assert.Equal(t, []string{"SLM-Copilot 1.1.0", "by hand", "SLM-Copilot 1.0.0"}, names(readEntries(t, dir)))
	checkSums(t, dir)
}

func TestFilesOfOthersStay(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "market")
	publish(t, dir, "1.0.0", newImage(t, t.TempDir(), 1000))
	kept := []string{"images/alpine.qcow2", "images/slm-copilot-notes.txt", "appliance/readme.txt", "README.md", ".hidden"}
	for _, name := range kept {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o600))
	}
	orphan := filepath.Join(dir, imagesDir, "slm-copilot-0.9.0-0123456789ab.qcow2")
	require.NoError(t, os.WriteFile(orphan, []byte("x"), 0o600))
	publish(t, dir, "1.1.0", newImage(t, t.TempDir(), 1000))
	for _, name := range kept {
		assert.FileExists(t, filepath.Join(dir, name))
	}
	assert.NoFileExists(t, orphan, "one that a killed run has left")
}
