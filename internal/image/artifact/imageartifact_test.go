package artifact

import (
	"testing"

	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
)

func TestFindAsksOurOwnArtifacts(t *testing.T) {
	image, manifestPath, err := Find(&packersdk.MockArtifact{
		FilesValue: []string{"a.qcow2", "b.qcow2"},
		StateValues: map[string]any{
			appliance.StateImagePath:    "dist/b.qcow2",
			appliance.StateManifestPath: "dist/elsewhere.json",
		},
	})
	require.NoError(t, err)
	assert.Equal(t, "dist/b.qcow2", image)
	assert.Equal(t, "dist/elsewhere.json", manifestPath)
}

func TestFindLooksIntoOtherArtifacts(t *testing.T) {
	foreign := func(files ...string) *packersdk.MockArtifact { return &packersdk.MockArtifact{FilesValue: files} }
	image, manifestPath, err := Find(foreign("SHA256SUMS", "dist/a.qcow2"))
	require.NoError(t, err)
	assert.Equal(t, "dist/a.qcow2", image)
	assert.Equal(t, "dist/a.manifest.json", manifestPath)

	_, _, err = Find(foreign("a.qcow2", "b.qcow2"))
	assert.ErrorContains(t, err, `exactly one .qcow2 file, it holds 2: ["a.qcow2" "b.qcow2"]`)
	_, _, err = Find(foreign("a.raw"))
	assert.ErrorContains(t, err, "it holds 0")
}
