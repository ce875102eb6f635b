package community

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		found[name] = string(content)
		return err
	}))
	return found
}

func TestWriteSaysWhatItChanged(t *testing.T) {
	files := exampleFiles(t)
	dir := filepath.Join(t.TempDir(), "repository")
	var said []string
	say := func(line string) { said = append(said, line) }
	changed, err := Write(dir, files, say)
	require.NoError(t, err)
	assert.True(t, changed)
	assert.Len(t, said, len(files))
	written := tree(t, dir)
	assert.Len(t, written, len(files))
	for name, content := range files {
		assert.Equal(t, string(content), written[name], name)
	}

	said = nil
	changed, err = Write(dir, files, say)
	require.NoError(t, err)
	assert.False(t, changed)
	assert.Empty(t, said)

	readme := filepath.Join(dir, appDir, "README.md")
	require.NoError(t, os.WriteFile(readme, []byte("other"), 0o644))
	changed, err = Write(dir, files, say)
	require.NoError(t, err)
	assert.True(t, changed)
	assert.Equal(t, []string{"wrote " + readme}, said)
}

func TestANewVersionTakesThePlaceOfTheOld(t *testing.T) {
	dir := checkout(t, exampleFiles(t))
	foreign := filepath.Join(dir, appDir, "appliance.sh")
	require.NoError(t, os.WriteFile(foreign, []byte("#!/bin/sh\n"), 0o755))
	// What a killed run leaves beside a file.
	require.NoError(t, os.WriteFile(filepath.Join(dir, appDir, ".README.md.new-1"), nil, 0o600))
	before := tree(t, dir)

	m, app := exampleManifest(), exampleApp()
	m.Version, app.Version, m.CreationTime = "1.1.0", "1.1.0", m.CreationTime+30*24*3600
	files, err := Files(app, m, "https://cdn.example.org/slm-copilot-1.1.0-x86_64.qcow2", nil)
	require.NoError(t, err)
	_, err = Write(dir, files, func(string) {})
	require.NoError(t, err)
	after := tree(t, dir)
	assert.Len(t, after, len(before)-1, "the same files, without the debris")
	assert.FileExists(t, foreign)
	assert.FileExists(t, filepath.Join(dir, "logos", logoFile))
	golden(t, "CHANGELOG-second.md", []byte(after[changelogFile]))
}

func TestWriteSaysWhatIsInTheWay(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "appliances"), nil, 0o600))
	_, err := Write(dir, exampleFiles(t), func(string) {})
	assert.ErrorContains(t, err, "write the files of a pull request")
	assert.ErrorContains(t, err, filepath.Join(dir, "appliances"))
}
