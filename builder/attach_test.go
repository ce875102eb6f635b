package builder

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/qemuimg"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/model/gguf"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/qemuvmtest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/step"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/fetch"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/lockfile"
)

// writeModel writes a tiny model that ends with tail, which is the beginning of its last sector.
func writeModel(t *testing.T, path, tail string) []byte {
	t.Helper()
	const sector = 512
	var model bytes.Buffer
	require.NoError(t, gguf.Write(&model, gguf.Tiny("test")))
	model.Write(make([]byte, sector-model.Len()%sector))
	model.WriteString(tail)
	require.NoError(t, os.WriteFile(path, model.Bytes(), 0o400))
	return model.Bytes()
}

// bootsFrom replaces base.qcow2 with a disk that boots the given code.
func bootsFrom(t *testing.T, code ...[]byte) {
	t.Helper()
	require.NoError(t, os.Rename(qemuvmtest.Image(t, t.TempDir(), code...), "base.qcow2"))
}

// The machine must boot from its own disk, not from the second one, and must be able to
// read weights whose last sector is only partly filled.
func TestTheMachineReadsEveryByteOfTheWeights(t *testing.T) {
	const sector = 512
	inWorkplace(t)
	const tail = "the tail of the weights"
	weights := writeModel(t, "w,1.gguf", tail)
	bootsFrom(t, qemuvmtest.Greet, qemuvmtest.PrintSecondDisk(uint16(len(weights)/sector), 0), qemuvmtest.Halt)
	err := run(t, map[string]any{
		"ssh_timeout": "3s", "disk_size": "4G", "memory": 1024, "model": map[string]any{"source": "w,1.gguf", "checksum": "none"},
	})
	require.ErrorContains(t, err, "It ends with:\n  UP\n  the tail of the weights")
	now, err := os.ReadFile("w,1.gguf")
	require.NoError(t, err)
	assert.Equal(t, weights, now)
	assert.Equal(t, []string{"base.qcow2", "out.serial.log", "w,1.gguf"}, left(t))
}

func TestTheMachineHasItsModelDisk(t *testing.T) {
	// Where ext4 stores its label: 120 bytes into the superblock, which begins at 1 KiB.
	const sector, offset = 2, 120
	inWorkplace(t)
	bootsFrom(t, qemuvmtest.Greet, qemuvmtest.PrintSecondDisk(sector, offset), qemuvmtest.Halt)
	writeModel(t, "w.gguf", "")
	err := run(t, map[string]any{
		"ssh_timeout": "3s", "memory": 1024, "model_disk": true, "model": map[string]any{"source": "w.gguf", "checksum": "none"},
	})
	require.ErrorContains(t, err, "It ends with:\n  UP\n  "+appliance.ModelDiskLabel)
	assert.Equal(t, []string{"base.qcow2", "out.serial.log", "w.gguf"}, left(t))
}

func TestAModelThatDoesNotFitIsToldBeforeTheMachineBoots(t *testing.T) {
	inWorkplace(t)
	writeModel(t, "w.gguf", strings.Repeat(".", 100<<20))
	err := run(t, map[string]any{"disk_size": "64M", "memory": 1024, "model": map[string]any{"source": "w.gguf", "checksum": "none"}})
	require.ErrorContains(t, err, "disk_size: 64M is too small: the model takes 100.4 MiB")
	assert.Equal(t, []string{"base.qcow2", "w.gguf"}, left(t))
}

// A machine in which the model would not start is refused in the first step, before a download
// or an upload of many gigabytes.
func TestTheMemoryFollowsTheModel(t *testing.T) {
	inWorkplace(t)
	content := writeModel(t, "w.gguf", "")
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		assert.Fail(t, "something is downloaded")
	}))
	t.Cleanup(server.Close)
	require.NoError(t, lockfile.Write("large.lock.hcl", lockfile.Lock{Inputs: []lockfile.Input{
		{Kind: lockfile.KindModel, Name: "large", Source: server.URL + "/large.gguf", Digest: someChecksum, Size: 14 << 30},
		{Kind: lockfile.KindModel, Name: "huge", Source: server.URL + "/huge.gguf", Digest: someChecksum, Size: 1 << 46},
	}}))
	local := map[string]any{"source": "w.gguf", "checksum": "none"}
	require.NoError(t, os.WriteFile("page.gguf", []byte("<html>"), 0o600))
	for name, test := range map[string]struct {
		attributes map[string]any
		want       string
	}{
		"less than the weights in the lock":   {map[string]any{"memory": 4096, "lock_file": "large.lock.hcl", "model": map[string]any{"source": server.URL + "/large.gguf"}}, "memory: 4096 MiB are too few for the model, whose weights alone are 14336 MiB"},
		"weights larger than this host":       {map[string]any{"memory": 0, "lock_file": "large.lock.hcl", "model": map[string]any{"source": server.URL + "/huge.gguf"}}, "memory: the machine wants 67108864 MiB, this host has"},
		"more than this host":                 {map[string]any{"memory": 16 << 20}, "memory: the machine wants 16777216 MiB, this host has"},
		"less than the model starts with":     {map[string]any{"memory": 512, "model": local}, "memory: 512 MiB are too few for the model to start, it needs "},
		"what is no model, before any upload": {map[string]any{"memory": 512, "model": map[string]any{"source": "page.gguf", "checksum": "none"}}, "model.source: page.gguf: "},
	} {
		t.Run(name, func(t *testing.T) { assert.ErrorContains(t, run(t, test.attributes), test.want) })
	}

	work := newBuild(decoded(t, map[string]any{"base_image": "base.qcow2", "base_image_checksum": "none", "model": local}), quiet())
	require.Zero(t, work.memoryMiB)
	require.NoError(t, (&stepFetch{work}).fetchModels(t.Context(), fetch.New(t.TempDir(), func(string) {})))
	assert.Equal(t, defaultMemory, work.memoryMiB, "what the system wants, which is more than a tiny model does")
	assert.Equal(t, int64(len(content)), work.weights.Size)
}

func TestTheMachineBootsByUEFI(t *testing.T) {
	inWorkplace(t)
	err := run(t, map[string]any{"ssh_timeout": "20s", "firmware": "uefi"})
	require.ErrorContains(t, err, "Timeout waiting for SSH")
	assert.ErrorContains(t, err, "BdsDxe: ", "the firmware finds nothing to boot, and says so")
	assertNoMachines(t)
}

// The model disk is finished before the machine boots, and is named after its contents.
func TestTheModelDiskIsAnImageOfItsOwn(t *testing.T) {
	inWorkplace(t)
	content := writeModel(t, "w.gguf", "")
	sum := sha256.Sum256(content)
	digest := hex.EncodeToString(sum[:])
	work := newBuild(decoded(t, map[string]any{
		"base_image": "base.qcow2", "base_image_checksum": "none", "accelerator": "tcg", "output_directory": "dist/out", "disk_size": "16M",
		"model_disk": true, "model": map[string]any{"source": "w.gguf", "checksum": "sha256:" + digest},
	}), quiet())
	require.NoError(t, runSteps(t.Context(), step.Of(&stepFetch{work}), step.Of(&stepLockOutput{build: work}), step.Of(&stepModelDisk{work}),
		afterMachine(t, work), step.Of(&stepCompact{work}), step.Of(&stepDescribe{work}), step.Of(&stepRecord{work}), step.Of(&stepPublish{work})))

	a := newArtifact(work)
	model := "dist/out/slm-copilot-model-" + digest[:12] + ".qcow2"
	assert.Equal(t, model, a.State(appliance.StateModelImagePath))
	assert.Equal(t, []string{
		"dist/out/slm-copilot-1.0.0-x86_64.qcow2", "dist/out/slm-copilot-1.0.0-x86_64.manifest.json",
		model, "dist/out/slm-copilot-model-" + digest[:12] + ".manifest.json",
		"dist/out/slm-copilot-1.0.0-x86_64.intoto.json",
	}, a.Files())
	for _, file := range a.Files() {
		assert.FileExists(t, file)
	}
	info, err := qemuimg.Inspect(model)
	require.NoError(t, err)
	require.NoError(t, info.Standalone())
	raw := filepath.Join(t.TempDir(), "raw")
	require.NoError(t, qemuimg.ToRaw(t.Context(), model, qemuimg.Part{Size: info.VirtualSize}, raw, func(string) {}))
	output, err := exec.Command("/usr/sbin/debugfs", "-R", "cat model.gguf", raw).Output()
	require.NoError(t, err)
	assert.True(t, bytes.Equal(content, output))
	statement, err := os.ReadFile("dist/out/slm-copilot-1.0.0-x86_64.intoto.json")
	require.NoError(t, err)
	assert.Contains(t, string(statement), filepath.Base(model))
	assert.Contains(t, string(statement), digest)
}

func TestTheModelDiskHoldsOtherModels(t *testing.T) {
	inWorkplace(t)
	contents := map[string][]byte{"model.gguf": writeModel(t, "w.gguf", ""), "small.gguf": writeModel(t, "s.gguf", "another")}
	work := newBuild(decoded(t, map[string]any{
		"base_image": "base.qcow2", "base_image_checksum": "none", "output_directory": "dist/out", "model_disk": true,
		"model":       map[string]any{"source": "w.gguf", "checksum": "none"},
		"other_model": []map[string]any{{"source": "s.gguf", "checksum": "none", "id": "small"}},
	}), quiet())
	require.NoError(t, runSteps(t.Context(), step.Of(&stepFetch{work}), step.Of(&stepLockOutput{build: work}), step.Of(&stepModelDisk{work}), does(func() {
		raw := filepath.Join(t.TempDir(), "raw")
		info, err := qemuimg.Inspect(work.modelImage())
		require.NoError(t, err)
		require.NoError(t, qemuimg.ToRaw(t.Context(), work.modelImage(), qemuimg.Part{Size: info.VirtualSize}, raw, func(string) {}))
		for name, content := range contents {
			output, err := exec.Command("/usr/sbin/debugfs", "-R", "cat "+name, raw).Output()
			require.NoError(t, err)
			assert.True(t, bytes.Equal(content, output), name)
		}
	})))
	assert.NotContains(t, work.modelImage(), work.weights.SHA256[:12], "the name follows all of the content")
	assert.Equal(t, work.modelManifest.Version, work.modelDiskVersion())
	var names []string
	for _, input := range work.inputs() {
		names = append(names, input.Name)
	}
	assert.Equal(t, []string{"base.qcow2", "s.gguf", "w.gguf"}, names, "the provenance has all of them")

	page := []byte("<html>sign in</html>")
	require.NoError(t, os.WriteFile("page.gguf", page, 0o600))
	work.config.OtherModels[0].Source = "page.gguf"
	require.ErrorContains(t, (&stepFetch{work}).fetchModels(t.Context(), fetch.New(t.TempDir(), func(string) {})), "other_model[0].source: page.gguf: ")
}
