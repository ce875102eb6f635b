// Package manifesttest describes the images of tests. It is never part of the plugin.
package manifesttest

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/manifest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/qemuimg"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/probe/acceptance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/digest"
)

// Created is the creation time of every image, in seconds since 1970.
const Created = 1795300000

// Write writes the manifest of an image: what the builder says about a system with Debian 12.
// change may be nil.
func Write(t testing.TB, image string, change func(*manifest.Manifest)) manifest.Manifest {
	t.Helper()
	info, err := qemuimg.Inspect(image)
	require.NoError(t, err)
	is, err := digest.File(t.Context(), image, nil)
	require.NoError(t, err)
	m := manifest.Manifest{
		Name: appliance.Name, Version: "1.0.0", Image: filepath.Base(image), Format: qemuimg.Format,
		Size: info.VirtualSize, FileSize: is.Size, MD5: is.MD5, SHA1: is.SHA1, SHA256: is.SHA256,
		CreationTime: Created, OSID: "debian", OSRelease: "12", OSArch: "x86_64",
	}
	if change != nil {
		change(&m)
	}
	require.NoError(t, manifest.Write(manifest.Path(image), m))
	return m
}

// Verified gives a manifest the record of a trial that the image has passed.
func Verified(m *manifest.Manifest) {
	m.Verified = &manifest.Verification{Suite: acceptance.Suite, SHA256: m.SHA256, Time: Created, Passed: true, Boots: 2, Checks: 48}
}
