package builder

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/hashicorp/packer-plugin-sdk/common"
	"github.com/hashicorp/packer-plugin-sdk/packer/registry/image"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/manifest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/qemuimg"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/step"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/digest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/lockfile"
)

// finish runs the steps that follow a successful run of the machine.
func finish(t *testing.T, ctx context.Context, work *build, between func()) error {
	t.Helper()
	return runSteps(ctx, step.Of(&stepLockOutput{build: work}), afterMachine(t, work), step.Of(&stepCompact{work}),
		step.Of(&stepDescribe{work}), step.Of(&stepRecord{work}), step.Of(&stepInspect{work}), does(between), step.Of(&stepPublish{work}))
}

func runSteps(ctx context.Context, steps ...step.Listed) error {
	return step.Run(ctx, quiet(), common.PackerConfig{}, "the build", steps...)
}

// afterMachine creates the files that a machine leaves.
func afterMachine(t *testing.T, work *build) step.Listed {
	return does(func() {
		require.NoError(t, os.MkdirAll(work.machineDirectory(), 0o755))
		require.NoError(t, qemuimg.CreateOverlay(context.Background(), "base.qcow2", work.machineDisk()))
		require.NoError(t, os.WriteFile(work.serialLog(), []byte("login:"), 0o644))
		work.guest = guest{"debian", "12", "x86_64"}
	})
}

type stepFunc func()

func (f stepFunc) Run(context.Context) error {
	f()
	return nil
}

// does returns a step that runs an action.
func does(action func()) step.Listed { return step.Of(stepFunc(action)) }

func newWork(t *testing.T, force bool) *build {
	t.Helper()
	var c Config
	data := packerData()
	data["packer_force"] = force
	_, err := c.decode(map[string]any{
		"base_image": "base.qcow2", "base_image_checksum": "none", "accelerator": "tcg", "output_directory": "dist/out",
	}, data)
	require.NoError(t, err)
	work := newBuild(&c, quiet())
	work.base, work.baseInput = "base.qcow2", someInput
	return work
}

// someInput is the base image after it has been fetched.
var someInput = lockfile.Input{Kind: lockfile.KindBaseImage, Name: "base.qcow2", Arch: "amd64", Source: "base.qcow2", Digest: someChecksum, Size: 7}

func TestFinishedBuildIsPublishedWithItsManifest(t *testing.T) {
	inWorkplace(t)
	work := newWork(t, false)
	require.NoError(t, finish(t, context.Background(), work, func() {
		assert.NoDirExists(t, "dist/out", "nothing is there before all is there")
	}))

	a := newArtifact(work)
	const imagePath, manifestPath = "dist/out/slm-copilot-1.0.0-x86_64.qcow2", "dist/out/slm-copilot-1.0.0-x86_64.manifest.json"
	const provenancePath = "dist/out/slm-copilot-1.0.0-x86_64.intoto.json"
	assert.Equal(t, []string{imagePath, manifestPath, provenancePath}, a.Files())
	assert.Equal(t, imagePath, a.State(appliance.StateImagePath))
	assert.Equal(t, manifestPath, a.State(appliance.StateManifestPath))
	assert.Equal(t, appliance.BuilderID, a.BuilderId())
	require.NoError(t, a.State(image.ArtifactStateURI).(*image.Image).Validate())
	assert.Nil(t, a.State("anything else"))

	m, err := manifest.Read(manifestPath)
	require.NoError(t, err)
	digests, err := digest.File(context.Background(), imagePath, nil)
	require.NoError(t, err)
	assert.Equal(t, digest.Digests{Size: m.FileSize, MD5: m.MD5, SHA1: m.SHA1, SHA256: m.SHA256}, digests)
	assert.Equal(t, int64(mebibyte), m.Size)
	assert.Equal(t, []string{"debian", "12", "x86_64"}, []string{m.OSID, m.OSRelease, m.OSArch})
	assert.Equal(t, "sha256:"+m.SHA256, a.Id())
	assert.Contains(t, a.String(), imagePath)

	entries, err := filepath.Glob("dist/*")
	require.NoError(t, err)
	assert.Equal(t, []string{"dist/out"}, entries)
	entries, err = filepath.Glob("dist/out/*")
	require.NoError(t, err)
	assert.Equal(t, []string{provenancePath, manifestPath, imagePath, "dist/out/slm-copilot-1.0.0-x86_64.serial.log"}, entries)

	require.NoError(t, os.WriteFile("dist/neighbour", nil, 0o600))
	require.NoError(t, a.Destroy())
	entries, err = filepath.Glob("dist/*")
	require.NoError(t, err)
	assert.Equal(t, []string{"dist/neighbour"}, entries, "no more than its own is destroyed")
}

func TestForceReplacesOnlyAtTheEnd(t *testing.T) {
	inWorkplace(t)
	require.NoError(t, os.MkdirAll("dist/out", 0o755))
	require.NoError(t, os.WriteFile("dist/out/old", nil, 0o600))

	ctx, cancel := context.WithCancel(context.Background())
	assert.ErrorIs(t, finish(t, ctx, newWork(t, true), cancel), context.Canceled)
	assert.FileExists(t, "dist/out/old", "a cancelled build replaces nothing")

	require.NoError(t, finish(t, context.Background(), newWork(t, true), func() {
		assert.FileExists(t, "dist/out/old")
	}))
	assert.NoFileExists(t, "dist/out/old")
	assert.FileExists(t, "dist/out/slm-copilot-1.0.0-x86_64.qcow2")
	entries, err := filepath.Glob("dist/*")
	require.NoError(t, err)
	assert.Equal(t, []string{"dist/out"}, entries)
}

func TestOutputThatAppearsMeanwhileIsNotTouched(t *testing.T) {
	inWorkplace(t)
	err := finish(t, context.Background(), newWork(t, false), func() {
		require.NoError(t, os.MkdirAll("dist/out/theirs", 0o755))
	})
	require.ErrorContains(t, err, "output_directory: dist/out exists already")
	assert.DirExists(t, "dist/out/theirs")
	assert.NoDirExists(t, "dist/out.partial")
	require.NoError(t, os.RemoveAll("dist/out"))
	runSuggested(t, err)
	assert.FileExists(t, "dist/out/slm-copilot-1.0.0-x86_64.qcow2")
}

func TestReplaceBringsTheOldDirectoryBack(t *testing.T) {
	t.Chdir(t.TempDir())
	require.NoError(t, os.MkdirAll("target/old", 0o755))
	assert.ErrorIs(t, replace("none", "target"), os.ErrNotExist)
	assert.DirExists(t, "target/old")
	assert.NoDirExists(t, "target.old")
}

func TestLockEmptyRemovesWhatAKilledBuildLeft(t *testing.T) {
	t.Chdir(t.TempDir())
	require.NoError(t, os.MkdirAll("dist/out.partial/machine", 0o755))
	require.NoError(t, os.WriteFile("dist/out.partial/machine/disk", nil, 0o600))
	lock, err := lockEmpty("dist/out.partial")
	require.NoError(t, err)
	defer func() { _ = lock.Release() }()
	entries, err := os.ReadDir("dist/out.partial")
	require.NoError(t, err)
	assert.Empty(t, entries)
}

func TestLockEmptyKeepsOutOfARunningBuild(t *testing.T) {
	t.Chdir(t.TempDir())
	first, err := lockEmpty("out.partial")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile("out.partial/disk", nil, 0o600))
	_, err = lockEmpty("out.partial")
	assert.ErrorContains(t, err, "another build is writing to out.partial")
	assert.FileExists(t, "out.partial/disk")

	require.NoError(t, first.Release())
	second, err := lockEmpty("out.partial")
	require.NoError(t, err, "the lock ends with its holder")
	require.NoError(t, second.Release())
}
