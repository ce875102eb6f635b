package demo_test

import (
	"encoding/json"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/digest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/lockfile"
)

// testBesideTheImage checks that the files next to the image describe its contents, and
// agree with each other.
func testBesideTheImage(t *testing.T, made demo) {
	beside := strings.TrimSuffix(made.image, ".qcow2")
	payloads := map[string]string{
		"base.qcow2":       payloadDigest(t, "base.qcow2"),
		"local-ai":         payloadDigest(t, "local-ai"),
		"model.gguf":       payloadDigest(t, "model.gguf"),
		"other-model.gguf": payloadDigest(t, "other-model.gguf"),
	}

	lock, err := lockfile.Read(beside + appliance.LockSuffix)
	require.NoError(t, err)
	locked := map[string]string{}
	for _, input := range lock.Inputs {
		if input.Kind != lockfile.KindBackend { // a directory, packed by the build
			locked[path.Base(input.Source)] = strings.TrimPrefix(input.Digest, "sha256:")
		}
		assert.Positive(t, input.Size, input)
	}
	assert.Equal(t, payloads, locked)

	var statement struct {
		Subject   []struct{ Digest map[string]string }
		Predicate struct {
			BuildDefinition struct {
				ResolvedDependencies []struct{ Digest map[string]string }
			}
		}
	}
	readJSON(t, beside+appliance.ProvenanceSuffix, &statement)
	image, err := digest.File(t.Context(), made.image, nil)
	require.NoError(t, err)
	require.Len(t, statement.Subject, 1)
	assert.Equal(t, image.SHA256, statement.Subject[0].Digest["sha256"])
	var resolved []string
	for _, input := range statement.Predicate.BuildDefinition.ResolvedDependencies {
		resolved = append(resolved, input.Digest["sha256"])
	}

	licences, err := os.ReadFile(beside + appliance.LicensesSuffix)
	require.NoError(t, err)
	assert.Contains(t, string(licences), "The ggml authors")

	var bill struct {
		SPDXVersion string
		Packages    []struct {
			Name      string
			Checksums []struct{ ChecksumValue string }
		}
	}
	readJSON(t, beside+appliance.SBOMSuffix, &bill)
	assert.Equal(t, "SPDX-2.3", bill.SPDXVersion)
	var names, sums []string
	for _, entry := range bill.Packages {
		names = append(names, entry.Name)
		for _, sum := range entry.Checksums {
			sums = append(sums, sum.ChecksumValue)
		}
	}
	assert.Subset(t, names, []string{"nginx", "certbot", "openssh-server"})
	for name, want := range payloads {
		assert.Contains(t, resolved, want, "%s in the provenance", name)
		if name != "base.qcow2" {
			assert.Contains(t, sums, want, "%s in the bill of materials", name)
		}
	}
}

// payloadDigest returns the SHA-256 of a payload of the demonstration.
func payloadDigest(t *testing.T, name string) string {
	t.Helper()
	digests, err := digest.File(t.Context(), filepath.Join(top(t), ".cache", "demo", name), nil)
	require.NoError(t, err)
	return digests.SHA256
}

func readJSON(t *testing.T, path string, into any) {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, into), path)
}
