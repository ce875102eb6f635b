package marketplace

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/fieldcheck"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/manifest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/qemuimg"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/manifesttest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/app"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/catalog"
)

// bench is a directory with an image that has been built.
type bench struct {
	image   string
	catalog string
	ui      *packersdk.MockUi
}

func newBench(t *testing.T) bench {
	t.Helper()
	dir := t.TempDir()
	b := bench{
		image:   filepath.Join(dir, "dist", "demo", "slm-copilot-1.0.0-x86_64.qcow2"),
		catalog: filepath.Join(dir, "dist", "marketplace"),
		ui:      new(packersdk.MockUi),
	}
	require.NoError(t, os.MkdirAll(filepath.Dir(b.image), 0o755))
	makeImage(t, b.image, "6G")
	manifesttest.Write(t, b.image, manifesttest.Verified)
	return b
}

func makeImage(t *testing.T, path string, arguments ...string) {
	t.Helper()
	arguments = append([]string{"create", "-q", "-f", qemuimg.Format, path}, arguments...)
	output, err := exec.CommandContext(t.Context(), qemuimg.Program, arguments...).CombinedOutput()
	require.NoError(t, err, "%s", output)
}

// built returns the artifact of the source.
func (b bench) built() *packersdk.MockArtifact {
	return &packersdk.MockArtifact{
		BuilderIdValue: appliance.BuilderID,
		FilesValue:     []string{b.image, manifest.Path(b.image)},
		StateValues: map[string]any{
			appliance.StateImagePath:    b.image,
			appliance.StateManifestPath: manifest.Path(b.image),
		},
	}
}

func (b bench) postProcess(t *testing.T, ctx context.Context, input packersdk.Artifact) (packersdk.Artifact, error) {
	t.Helper()
	var p PostProcessor
	require.NoError(t, p.Configure(block{"catalog": block{"directory": b.catalog, "base_url": "http://127.0.0.1:8085"}}))
	artifact, keep, force, err := p.PostProcess(ctx, b.ui, input)
	assert.True(t, keep && force, "images of a catalog may be links to the input")
	return artifact, err
}

func (b bench) said() string {
	var lines []string
	for _, say := range b.ui.SayMessages {
		lines = append(lines, say.Message)
	}
	return strings.Join(lines, "\n")
}

func (b bench) entries(t *testing.T) []catalog.Entry {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(b.catalog, "appliances.json"))
	require.NoError(t, err)
	var list struct {
		Appliances []catalog.Entry `json:"appliances"`
	}
	require.NoError(t, json.Unmarshal(content, &list))
	return list.Appliances
}

func TestPostProcessPublishes(t *testing.T) {
	b := newBench(t)
	artifact, err := b.postProcess(t, t.Context(), b.built())
	require.NoError(t, err)

	entries := b.entries(t)
	require.Len(t, entries, 1)
	assert.Equal(t, "SLM-Copilot 1.0.0", entries[0].Name, "the version is the manifest's")
	assert.EqualValues(t, 6<<30, entries[0].Files[0].Size)
	assert.EqualValues(t, 1795300000, entries[0].CreationTime)

	assert.Equal(t, appliance.MarketplaceBuilderID, artifact.BuilderId())
	assert.Equal(t, entries[0].ID.OID, artifact.Id())
	assert.Contains(t, artifact.String(), b.catalog)
	assert.Equal(t, b.catalog, artifact.State(appliance.StateCatalogDirectory))
	assert.Equal(t, b.image, artifact.State(appliance.StateImagePath))
	assert.Equal(t, manifest.Path(b.image), artifact.State(appliance.StateManifestPath))
	assert.Nil(t, artifact.State("something else"))
	require.Len(t, artifact.Files(), 4)
	for _, file := range artifact.Files() {
		assert.FileExists(t, file)
	}
	require.NoError(t, artifact.Destroy())
	assert.Len(t, b.entries(t), 1, "what clouds may have seen is not taken back")
	assert.Contains(t, b.said(), "Published as "+entries[0].ID.OID)
}

func TestPostProcessAgainSaysThatNothingChanged(t *testing.T) {
	b := newBench(t)
	_, err := b.postProcess(t, t.Context(), b.built())
	require.NoError(t, err)
	assert.NotContains(t, b.said(), "nothing was changed")
	artifact, err := b.postProcess(t, t.Context(), b.built())
	require.NoError(t, err)
	assert.Contains(t, b.said(), "It is published already as "+artifact.Id()+"; nothing was changed")
}

func TestPostProcessTakesAnyArtifactWithOneImage(t *testing.T) {
	b := newBench(t)
	_, err := b.postProcess(t, t.Context(), &packersdk.MockArtifact{FilesValue: []string{manifest.Path(b.image), b.image}})
	require.NoError(t, err)
	assert.Len(t, b.entries(t), 1)
}

func TestPostProcessRefuses(t *testing.T) {
	for name, test := range map[string]struct {
		breakIt func(t *testing.T, b bench, input *packersdk.MockArtifact)
		want    []string
	}{
		"no image": {func(_ *testing.T, _ bench, input *packersdk.MockArtifact) {
			input.StateValues, input.FilesValue = nil, []string{"a.iso"}
		}, []string{"the artifact must hold exactly one .qcow2 file, it holds 0"}},
		"two images": {func(_ *testing.T, _ bench, input *packersdk.MockArtifact) {
			input.StateValues, input.FilesValue = nil, []string{"a.qcow2", "b.qcow2"}
		}, []string{"it holds 2", "a.qcow2", "b.qcow2"}},
		"no manifest": {func(t *testing.T, b bench, _ *packersdk.MockArtifact) {
			require.NoError(t, os.Remove(manifest.Path(b.image)))
		}, []string{"read manifest", `the source "slm-copilot" writes a manifest beside each image`}},
		"image gone": {func(t *testing.T, b bench, _ *packersdk.MockArtifact) {
			require.NoError(t, os.Remove(b.image))
		}, []string{"inspect image", "no such file"}},
		"image changed": {func(t *testing.T, b bench, _ *packersdk.MockArtifact) {
			makeImage(t, b.image, "-o", "cluster_size=512", "7G")
		}, []string{"is not the one its manifest describes", "size: the manifest says 6442450944, the file has 7516192768",
			"file_size: the manifest says", "md5: ", "sha1: ", "sha256: "}},
		"an overlay, however it is described": {func(t *testing.T, b bench, _ *packersdk.MockArtifact) {
			base := b.image + ".base"
			require.NoError(t, os.Rename(b.image, base))
			require.NoError(t, qemuimg.CreateOverlay(t.Context(), base, b.image))
			manifesttest.Write(t, b.image, manifesttest.Verified)
		}, []string{"it is only an overlay of"}},
		"a size that is not the disk's": {func(t *testing.T, b bench, _ *packersdk.MockArtifact) {
			manifesttest.Write(t, b.image, func(m *manifest.Manifest) { manifesttest.Verified(m); m.Size = 4 << 30 })
		}, []string{"size: the manifest says 4294967296, the file has 6442450944"}},
		"no trial": {func(t *testing.T, b bench, _ *packersdk.MockArtifact) {
			manifesttest.Write(t, b.image, nil)
		}, []string{"nothing proves that the image ", "works: it was never verified", "allow_unverified = true"}},
		"a trial that failed": {func(t *testing.T, b bench, _ *packersdk.MockArtifact) {
			manifesttest.Write(t, b.image, func(m *manifest.Manifest) { manifesttest.Verified(m); m.Verified.Passed = false })
		}, []string{"it failed when it was verified"}},
		"a trial of another build": {func(t *testing.T, b bench, _ *packersdk.MockArtifact) {
			manifesttest.Write(t, b.image, func(m *manifest.Manifest) { manifesttest.Verified(m); m.Verified.SHA256 = strings.Repeat("0", 64) })
		}, []string{"another build of it was verified"}},
		"a model disk that is gone": {func(_ *testing.T, b bench, input *packersdk.MockArtifact) {
			input.StateValues[appliance.StateModelImagePath] = "dist/model.qcow2"
		}, []string{"read manifest: open dist/model.manifest.json"}},
		"no system": {func(t *testing.T, b bench, _ *packersdk.MockArtifact) {
			m, err := manifest.Read(manifest.Path(b.image))
			require.NoError(t, err)
			m.OSID, m.OSRelease, m.OSArch = "", "", ""
			require.NoError(t, manifest.Write(manifest.Path(b.image), m))
		}, []string{"holds no operating system"}},
		"a damaged catalog": {func(t *testing.T, b bench, _ *packersdk.MockArtifact) {
			require.NoError(t, os.MkdirAll(b.catalog, 0o755))
			require.NoError(t, os.WriteFile(filepath.Join(b.catalog, "appliances.json"), []byte("{"), 0o644))
		}, []string{"is damaged and is left as it is"}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			input := b.built()
			test.breakIt(t, b, input)
			before, _ := os.ReadDir(b.catalog)
			artifact, err := b.postProcess(t, t.Context(), input)
			require.Error(t, err)
			assert.Nil(t, artifact)
			for _, want := range test.want {
				assert.ErrorContains(t, err, want)
			}
			after, _ := os.ReadDir(b.catalog)
			assert.Len(t, after, len(before), "nothing is left in the catalog")
		})
	}
}

func TestWhatIsUnverifiedIsPublishedAsSuch(t *testing.T) {
	b := newBench(t)
	manifesttest.Write(t, b.image, nil)
	var p PostProcessor
	require.NoError(t, p.Configure(block{
		"allow_unverified": true, "app": block{"description": "A copilot."},
		"catalog": block{"directory": b.catalog, "base_url": "http://127.0.0.1:8085"},
	}))
	_, _, _, err := p.PostProcess(t.Context(), b.ui, b.built())
	require.NoError(t, err)
	assert.Contains(t, b.said(), "Warning: publishing the image "+b.image+" unverified: it was never verified")
	assert.Equal(t, app.Unverified("A copilot."), b.entries(t)[0].Description)
}

func TestAnAppWithTooLittleMemoryIsRefused(t *testing.T) {
	b := newBench(t)
	manifesttest.Write(t, b.image, func(m *manifest.Manifest) { manifesttest.Verified(m); m.MemoryMiB, m.MinMemoryMiB = 32768, 18432 })
	var p PostProcessor
	require.NoError(t, p.Configure(block{
		"app": block{"memory": 4096}, "catalog": block{"directory": b.catalog, "base_url": "http://127.0.0.1:8085"},
	}))
	_, _, _, err := p.PostProcess(t.Context(), b.ui, b.built())
	require.ErrorContains(t, err, "app.memory: 4096 MiB are too few for the model to start, it needs 18432")
	assert.NoDirExists(t, b.catalog)
}

func TestAFailureKeepsWhatPackerDeletes(t *testing.T) {
	fail := func(b bench) {
		require.NoError(t, os.MkdirAll(b.catalog, 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(b.catalog, "appliances.json"), nil, 0o644))
	}
	t.Run("straight from the source", func(t *testing.T) {
		b := newBench(t)
		fail(b)
		content, err := os.ReadFile(b.image)
		require.NoError(t, err)
		for range 2 {
			_, err := b.postProcess(t, t.Context(), b.built())
			kept := filepath.Join(filepath.Dir(b.image)+".unpublished", filepath.Base(b.image))
			require.ErrorContains(t, err, "The image is kept as "+kept)
			got, err := os.ReadFile(kept)
			require.NoError(t, err)
			assert.Equal(t, content, got)
			_, err = manifest.Read(manifest.Path(kept))
			assert.NoError(t, err)
		}
	})
	t.Run("after verify Packer keeps it", func(t *testing.T) {
		b := newBench(t)
		fail(b)
		input := b.built()
		input.BuilderIdValue = appliance.VerifyBuilderID
		_, err := b.postProcess(t, t.Context(), input)
		require.Error(t, err)
		assert.NoDirExists(t, filepath.Dir(b.image)+".unpublished")
	})
}

func TestPostProcessStopsWithItsContext(t *testing.T) {
	b := newBench(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := b.postProcess(t, ctx, b.built())
	assert.ErrorIs(t, err, context.Canceled)
	assert.NoDirExists(t, b.catalog)
}

func TestPostProcessRefusesWhatIsStillUnknown(t *testing.T) {
	b := newBench(t)
	var p PostProcessor
	require.NoError(t, p.Configure(block{
		"app":     block{"publisher": fieldcheck.Unknown, "tags": []string{"ok", fieldcheck.Unknown}},
		"catalog": block{"directory": b.catalog, "base_url": "http://127.0.0.1:8085"},
	}))
	_, _, _, err := p.PostProcess(t.Context(), b.ui, b.built())
	assert.ErrorContains(t, err, "app.publisher: refers to a value that this build does not have\n"+
		"app.tags[1]: refers to a value that this build does not have")
	assert.ErrorContains(t, err, "The image is kept as ")
	assert.NoDirExists(t, b.catalog)
}

// The app of examples/demo has the minimal attributes.
func TestASmallAppHasNoFindings(t *testing.T) {
	b := newBench(t)
	var p PostProcessor
	require.NoError(t, p.Configure(block{
		"app":     block{"name": "SLM-Copilot Demo", "description": "A demonstration.", "vcpu": 2, "cpu": 2, "memory": 2048},
		"catalog": block{"directory": b.catalog, "base_url": "http://127.0.0.1:8085"},
	}))
	_, _, _, err := p.PostProcess(t.Context(), b.ui, b.built())
	assert.NoError(t, err)
}

func TestADryRunLeavesTheCatalogAlone(t *testing.T) {
	b := newBench(t)
	var p PostProcessor
	require.NoError(t, p.Configure(block{"dry_run": true, "catalog": block{"directory": b.catalog, "base_url": "http://127.0.0.1:8085"}}))
	artifact, _, _, err := p.PostProcess(t.Context(), b.ui, b.built())
	require.NoError(t, err)
	assert.Contains(t, artifact.String(), "not published: this was a dry run")
	assert.Contains(t, b.said(), "A run would publish SLM-Copilot 1.0.0 (IMAGE)")
	assert.NoDirExists(t, b.catalog)
	assert.NoDirExists(t, filepath.Dir(b.image)+".unpublished")
}

func TestTheFilesOfAPullRequest(t *testing.T) {
	b := newBench(t)
	directory := filepath.Join(t.TempDir(), "marketplace-community")
	publish := func(dryRun bool, input packersdk.Artifact) (packersdk.Artifact, error) {
		var p PostProcessor
		require.NoError(t, p.Configure(block{"dry_run": dryRun, "community": block{
			"directory": directory, "image_url": "https://cdn.example.org/slm-copilot-1.0.0.qcow2",
		}, "app": block{"logo": "slm-copilot.png"}}))
		artifact, _, _, err := p.PostProcess(t.Context(), b.ui, input)
		return artifact, err
	}
	_, err := publish(true, b.built())
	require.NoError(t, err)
	assert.NoDirExists(t, directory)
	assert.Contains(t, b.said(), "A run would write "+filepath.Join(directory, "appliances/slm-copilot/metadata.yaml"))

	artifact, err := publish(false, b.built())
	require.NoError(t, err)
	assert.Contains(t, artifact.String(), "files of a pull request in "+directory)
	require.NotEmpty(t, artifact.Files())
	for _, file := range artifact.Files() {
		assert.FileExists(t, file)
	}
	_, err = publish(false, b.built())
	require.NoError(t, err)
	assert.Contains(t, b.said(), "are up to date already; nothing was changed")
}

func TestMistakesAreFoundBeforePublishing(t *testing.T) {
	for name, test := range map[string]struct {
		config func(b bench) block
		want   string
	}{
		"an entry of the catalog": {func(b bench) block {
			return block{"app": block{"opennebula_versions": []string{"7.0"}}, "catalog": block{"directory": b.catalog, "base_url": "http://127.0.0.1:8085"}}
		}, "opennebula-version"},
		"a file of a pull request": {func(b bench) block {
			return block{"app": block{"version": "1.0.0-0-20261122"}, "community": block{"directory": b.catalog, "image_url": "https://cdn.example.org/slm-copilot-1.0.0-0-20261101.qcow2"}}
		}, "the image is of version 1.0.0-0-20261101"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			var p PostProcessor
			require.NoError(t, p.Configure(test.config(b)))
			_, _, _, err := p.PostProcess(t.Context(), b.ui, b.built())
			require.ErrorContains(t, err, test.want)
			assert.NoDirExists(t, b.catalog, "nothing is written")
		})
	}
}

func TestTheFilesOfAPullRequestAreOfOneImage(t *testing.T) {
	b := newBench(t)
	input := b.built()
	input.StateValues[appliance.StateModelImagePath] = b.image
	manifesttest.Write(t, b.image, func(m *manifest.Manifest) { manifesttest.Verified(m); m.Verified.ModelDiskSHA256 = m.SHA256 })
	var p PostProcessor
	require.NoError(t, p.Configure(block{"community": block{"directory": "x", "image_url": "https://cdn.example.org/x.qcow2"}}))
	_, _, _, err := p.PostProcess(t.Context(), b.ui, input)
	assert.ErrorContains(t, err, "build without model_disk, or leave the block community out")
}
