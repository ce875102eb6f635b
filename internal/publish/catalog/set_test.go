package catalog

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/manifest"
)

// newSet is a system and its model on two disks.
func newSet(t *testing.T) []image {
	t.Helper()
	system, model := newImage(t, t.TempDir(), 1000), newImage(t, t.TempDir(), 2000)
	model.manifest.OSID, model.manifest.OSRelease, model.manifest.OSArch = "", "", ""
	return []image{system, model}
}

func publishSet(t *testing.T, dir, version string, set []image, options Options) []Entry {
	t.Helper()
	c := open(t, dir)
	var manifests []manifest.Manifest
	for _, img := range set {
		manifests = append(manifests, img.manifest)
	}
	entries, err := NewEntries(exampleApp(version), manifests, c.base)
	require.NoError(t, err)
	for i, img := range set {
		require.NoError(t, c.PlaceImage(t.Context(), entries[i], img.path, img.manifest.FileSize, nil))
	}
	for _, e := range entries {
		require.NoError(t, c.WriteApp(e))
	}
	require.NoError(t, c.Publish(entries, options))
	require.NoError(t, c.Close())
	return entries
}

func TestSetIsGolden(t *testing.T) {
	l, _, err := list{}.with(built(t, "1.0.0", "x86_64", 1795300000, 2), 0)
	require.NoError(t, err)
	content, err := l.content()
	require.NoError(t, err)
	golden(t, "set.json", content)
}

func TestASetIsThreeApps(t *testing.T) {
	entries := built(t, "1.0.0", "aarch64", 1795300000, 2)
	require.Len(t, entries, 3)
	system, model, machine := entries[0], entries[1], entries[2]
	for _, disk := range entries[:2] {
		assert.Equal(t, typeImage, disk.Type)
		// The importer makes a VM template of every app that brings one.
		assert.Empty(t, disk.OpenNebulaTemplate, disk.Name)
		assert.Equal(t, "aarch64", disk.OSArch)
	}
	assert.Equal(t, "OS", system.Files[0].Type)
	assert.Equal(t, "DATABLOCK", model.Files[0].Type)
	assert.Empty(t, model.OSID)
	assert.Equal(t, typeVMTemplate, machine.Type)
	assert.Equal(t, "SLM-Copilot 1.0.0 aarch64", machine.Name)
	assert.Equal(t, []string{system.Name, model.Name}, machine.Disks, "it boots from the first")
	assert.Empty(t, machine.Files)
	assert.Empty(t, machine.Format)
	assert.Empty(t, lintTemplate(machine.OpenNebulaTemplate))
}

func TestNewEntriesChecksWhatTheImagesHold(t *testing.T) {
	system, model := exampleManifest(), exampleManifest()
	model.OSID, model.OSRelease, model.OSArch, model.Image = "", "", "", "model.qcow2"
	for want, images := range map[string][]manifest.Manifest{
		"an app has one image or two (the system, the model), got 0": nil,
		"got 3": {system, model, model},
		"the first image of an app must hold its system, but model.qcow2 holds data alone":                   {model, system},
		"the second image of an app must hold data alone, but slm-copilot-1.0.0-x86_64.qcow2 holds a system": {system, system},
	} {
		_, err := NewEntries(exampleApp("1.0.0"), images, baseURL(t, "http://h"))
		assert.ErrorContains(t, err, want)
	}
}

func TestASetIsPublishedAndPrunedAsOne(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "market")
	old := publishSet(t, dir, "1.0.0", newSet(t), Options{})
	entries := publishSet(t, dir, "1.1.0", newSet(t), Options{KeepVersions: 1})
	assert.Equal(t, []string{"SLM-Copilot 1.1.0 system", "SLM-Copilot 1.1.0 model", "SLM-Copilot 1.1.0"}, names(readEntries(t, dir)))
	for i, e := range old {
		assert.NoDirExists(t, filepath.Join(dir, appsDir, e.ID.OID))
		assert.DirExists(t, filepath.Join(dir, appsDir, entries[i].ID.OID))
	}
	images, err := os.ReadDir(filepath.Join(dir, imagesDir))
	require.NoError(t, err)
	assert.Len(t, images, 2)
	assert.NoDirExists(t, filepath.Join(dir, appsDir, entries[2].ID.OID, "download"), "a VM template has no image")
	checkSums(t, dir)
}
