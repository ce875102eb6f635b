package builder

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/manifest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/qemuimg"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/step"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/fetch"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/lockfile"
)

// withBaked makes it look as if the provisioner "slm-copilot" ran in the build.
func withBaked(work *build) *build {
	lock := lockfile.Lock{Inputs: locked()[3:]}
	lock.Put(lockfile.Input{Kind: lockfile.KindModel, Name: "other", Source: "other.gguf", Digest: otherChecksum, Size: 5, License: "Apache-2.0"})
	description := appliance.Baked{
		BakedModel: appliance.BakedModel{ModelID: "tiny", ModelName: "Tiny", MemoryMiB: 32768, MinMemoryMiB: 16384},
		Others:     []appliance.BakedModel{{ModelID: "other", ModelName: "Other", File: "other.gguf", MemoryMiB: 2048}},
	}
	work.baked = baked{lock: lock, description: description, lockText: string(lock.Encode()), sbom: "{}\n", licenses: "MIT\n"}
	return work
}

// The disk of this machine is not an appliance, so the inspection must reject it.
func TestABakedImageIsLookedInto(t *testing.T) {
	inWorkplace(t)
	err := finish(t, t.Context(), withBaked(newWork(t, false)), func() {
		assert.Fail(t, "it is not fit to be published")
	})
	require.ErrorContains(t, err, "none of its partitions holds an ext4 file system with /etc")
	assert.ErrorContains(t, err, "\nWhat the build has made is kept in dist/out.failed. To look into the finished image again, in a checkout of this plugin:"+
		"\n  go run ./cmd/inspect 'dist/out.failed/slm-copilot-1.0.0-x86_64.qcow2'")
	assert.NoDirExists(t, "dist/out")
	assert.NoDirExists(t, "dist/out.partial")
	const base = "dist/out.failed/slm-copilot-1.0.0-x86_64"
	for _, suffix := range []string{".qcow2", ".manifest.json", ".lock.hcl", ".spdx.json", ".licenses.txt", ".intoto.json", ".serial.log"} {
		assert.FileExists(t, base+suffix)
	}
}

func TestADiskThatCannotBePackedIsKept(t *testing.T) {
	inWorkplace(t)
	path := os.Getenv("PATH")
	fakeProgram(t, qemuimg.Program, `case "$*" in *zstd*) echo no zstd here >&2; exit 1 ;; esac; PATH=`+path+` exec qemu-img "$@"`)
	require.NoError(t, os.MkdirAll("dist/out.failed/of an earlier build", 0o755))
	err := finish(t, t.Context(), newWork(t, false), func() { assert.Fail(t, "there is no image") })
	require.ErrorContains(t, err, "no zstd here\nWhat the build has made is kept in dist/out.failed. To pack the disk of the machine:\n")
	assert.NoDirExists(t, "dist/out.partial")
	assert.NoDirExists(t, "dist/out.failed/of an earlier build")

	t.Setenv("PATH", path)
	runSuggested(t, err)
	info, err := qemuimg.Inspect("dist/out.failed/slm-copilot-1.0.0-x86_64.qcow2")
	require.NoError(t, err)
	assert.Equal(t, "zstd", info.Compression)
	assert.Empty(t, info.Backing)
}

// runSuggested runs the command at the end of an error message.
func runSuggested(t *testing.T, err error) {
	t.Helper()
	lines := strings.Split(err.Error(), "\n")
	output, err := exec.Command("sh", "-c", lines[len(lines)-1]).CombinedOutput()
	require.NoError(t, err, "%s", output)
}

// A directory in the place of the file stands for any failure to write it.
func TestAnImageThatCannotBeDescribedIsKept(t *testing.T) {
	for _, suffix := range []string{".manifest.json", ".intoto.json"} {
		t.Run(suffix, func(t *testing.T) {
			inWorkplace(t)
			work := newWork(t, false)
			err := runSteps(t.Context(), step.Of(&stepLockOutput{build: work}), afterMachine(t, work),
				does(func() { require.NoError(t, os.MkdirAll(work.beside(suffix)+"/x", 0o755)) }),
				step.Of(&stepCompact{work}), step.Of(&stepDescribe{work}), step.Of(&stepRecord{work}), step.Of(&stepPublish{work}))
			require.ErrorContains(t, err, suffix)
			require.ErrorContains(t, err, "kept in dist/out.failed. To look into the finished image again")
			assert.FileExists(t, "dist/out.failed/slm-copilot-1.0.0-x86_64.qcow2")
		})
	}
}

func TestWhatCannotBeMovedStays(t *testing.T) {
	inWorkplace(t)
	work := newWork(t, false)
	err := runSteps(t.Context(), step.Of(&stepLockOutput{build: work}), afterMachine(t, work), does(func() {
		work.config.OutputDirectory = "none/out"
	}), step.Of(&stepCompact{work}))
	require.ErrorContains(t, err, "What the build has made stays in none/out.partial until the next build empties it")
	assert.FileExists(t, "dist/out.partial/machine/slm-copilot-1.0.0-x86_64.qcow2")
}

func TestWhatWasBakedLiesBesideTheImage(t *testing.T) {
	inWorkplace(t)
	work := withBaked(newWork(t, false))
	require.NoError(t, runSteps(t.Context(), step.Of(&stepLockOutput{build: work}), afterMachine(t, work), step.Of(&stepCompact{work}),
		step.Of(&stepDescribe{work}), step.Of(&stepRecord{work}), step.Of(&stepPublish{work})))
	a := newArtifact(work)
	base := "dist/out/slm-copilot-1.0.0-x86_64"
	assert.Equal(t, []string{base + ".qcow2", base + ".manifest.json", base + ".lock.hcl", base + ".spdx.json", base + ".licenses.txt", base + ".intoto.json"}, a.Files())
	lock, err := os.ReadFile(base + ".lock.hcl")
	require.NoError(t, err)
	assert.Equal(t, work.baked.lockText, string(lock))

	text, err := os.ReadFile(base + ".intoto.json")
	require.NoError(t, err)
	var statement struct {
		Subject []struct {
			Name   string
			Digest map[string]string
		}
		Predicate struct {
			BuildDefinition struct {
				ResolvedDependencies []struct{ Name string }
			}
			RunDetails struct {
				Metadata struct{ InvocationID string }
			}
		}
	}
	require.NoError(t, json.Unmarshal(text, &statement))
	require.Len(t, statement.Subject, 1)
	assert.Equal(t, work.manifest.SHA256, statement.Subject[0].Digest["sha256"])
	assert.Len(t, statement.Predicate.BuildDefinition.ResolvedDependencies, 3, "base image and models, each once")

	m, err := manifest.Read(base + ".manifest.json")
	require.NoError(t, err)
	assert.NotEmpty(t, m.BuildID)
	assert.Equal(t, statement.Predicate.RunDetails.Metadata.InvocationID, m.BuildID)
	assert.Equal(t, []manifest.Model{
		{ModelID: "tiny", ModelName: "Tiny", ModelLicense: "MIT", ModelSHA256: strings.TrimPrefix(someChecksum, "sha256:"), MemoryMiB: 32768, MinMemoryMiB: 16384},
		{ModelID: "other", ModelName: "Other", ModelLicense: "Apache-2.0", ModelSHA256: strings.TrimPrefix(otherChecksum, "sha256:"), MemoryMiB: 2048},
	}, m.Models())
}

// Secrets in a template must not appear in anything that a build publishes.
func TestNoSecretComesOut(t *testing.T) {
	t.Chdir(t.TempDir())
	c := decoded(t, map[string]any{
		"base_image": "https://me:hush@example.org/a.qcow2?token=hush", "base_image_checksum": someChecksum,
		"cloud_init": "write_files: [{path: /x, content: hush}]",
	})
	work := newBuild(c, quiet())
	input, err := c.pinBase()
	require.NoError(t, err)
	digest := strings.TrimPrefix(someChecksum, "sha256:")
	work.baseInput = complete(input, fetch.File{SHA256: digest, Size: 7})
	work.manifest.Image, work.manifest.SHA256 = "a.qcow2", digest
	statement, err := work.provenance(work.started).Encode()
	require.NoError(t, err)
	everything, err := json.Marshal([]any{work.generated(), newArtifact(work).state, string(statement)})
	require.NoError(t, err)
	assert.NotContains(t, string(everything), "hush")
	assert.Contains(t, string(everything), "https://example.org/a.qcow2")
}

// interrupter is a Ui that cancels the build when a certain line is printed.
type interrupter struct {
	packersdk.Ui
	line   string
	cancel context.CancelFunc
}

func (i interrupter) Say(line string) {
	if strings.HasPrefix(line, i.line) {
		i.cancel()
	}
}

func TestCancelAtEachStepLeavesNothing(t *testing.T) {
	for _, line := range []string{"Making the disk with the model", "Compacting the image", "Looking into the image"} {
		t.Run(line, func(t *testing.T) {
			inWorkplace(t)
			writeModel(t, "w.gguf", strings.Repeat(".", 1<<20))
			work := newBuild(decoded(t, map[string]any{
				"base_image": "base.qcow2", "base_image_checksum": "none", "accelerator": "tcg", "output_directory": "dist/out",
				"model_disk": true, "model": map[string]any{"source": "w.gguf", "checksum": "none"},
			}), quiet())
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			work.ui = interrupter{quiet(), line, cancel}
			require.ErrorIs(t, runSteps(ctx,
				step.Of(&stepFetch{work}), step.Of(&stepLockOutput{build: work}), step.Of(&stepModelDisk{work}), afterMachine(t, withBaked(work)),
				step.Of(&stepCompact{work}), step.Of(&stepDescribe{work}), step.Of(&stepInspect{work}), does(func() { assert.Fail(t, "not cancelled") }),
			), context.Canceled)
			require.ErrorIs(t, ctx.Err(), context.Canceled)
			assert.NoDirExists(t, "dist/out")
			assert.NoDirExists(t, "dist/out.partial")
			assert.NoDirExists(t, "dist/out.failed")
		})
	}
}

// The partial download stays, so that the next build can resume it.
func TestCancelDuringTheDownload(t *testing.T) {
	inWorkplace(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "1000000")
		_, _ = w.Write(make([]byte, 100000))
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}))
	defer server.Close()
	b := prepared(t, map[string]any{"base_image": server.URL + "/base.qcow2", "base_image_checksum": someChecksum})
	ctx, cancel := context.WithCancel(t.Context())
	finished := make(chan error, 1)
	go func() {
		_, err := b.Run(ctx, quiet(), new(recorder))
		finished <- err
	}()
	parts := func() int64 {
		files, err := filepath.Glob(os.Getenv("PACKER_CACHE_DIR") + "/slm-copilot/*.part")
		require.NoError(t, err)
		var size int64
		for _, file := range files {
			if info, err := os.Stat(file); err == nil {
				size += info.Size()
			}
		}
		return size
	}
	assert.Eventually(t, func() bool { return parts() > 0 }, waitLimit, pollInterval)
	cancel()
	assert.EqualError(t, <-finished, "the build was cancelled")
	assert.Equal(t, []string{"base.qcow2"}, left(t))
	assert.Positive(t, parts())
}
