package builder

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/qemuimg"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/qemuvmtest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/step"
)

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
	bootsFrom(t, qemuvmtest.Greet, qemuvmtest.PrintSecondDisk(2, 0), qemuvmtest.Halt)
	weights := append(bytes.Repeat([]byte{'.'}, 2*sector), tail...)
	require.NoError(t, os.WriteFile("w,1.gguf", weights, 0o400))
	err := run(t, map[string]any{
		"ssh_timeout": "3s", "disk_size": "4G", "model": map[string]any{"source": "w,1.gguf", "checksum": "none"},
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
	require.NoError(t, os.WriteFile("w.gguf", []byte("weights"), 0o600))
	err := run(t, map[string]any{
		"ssh_timeout": "3s", "model_disk": true, "model": map[string]any{"source": "w.gguf", "checksum": "none"},
	})
	require.ErrorContains(t, err, "It ends with:\n  UP\n  "+appliance.ModelDiskLabel)
	assert.Equal(t, []string{"base.qcow2", "out.serial.log", "w.gguf"}, left(t))
}

func TestAModelThatDoesNotFitIsToldBeforeTheMachineBoots(t *testing.T) {
	inWorkplace(t)
	require.NoError(t, os.WriteFile("w.gguf", nil, 0o600))
	require.NoError(t, os.Truncate("w.gguf", 100<<20))
	err := run(t, map[string]any{"disk_size": "64M", "model": map[string]any{"source": "w.gguf", "checksum": "none"}})
	require.ErrorContains(t, err, "disk_size: 64M is too small: the model takes 100.0 MiB")
	assert.Equal(t, []string{"base.qcow2", "w.gguf"}, left(t))
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
	content := []byte("weights")
	sum := sha256.Sum256(content)
	digest := hex.EncodeToString(sum[:])
	require.NoError(t, os.WriteFile("w.gguf", content, 0o600))
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
	assert.Equal(t, string(content), string(output))
	statement, err := os.ReadFile("dist/out/slm-copilot-1.0.0-x86_64.intoto.json")
	require.NoError(t, err)
	assert.Contains(t, string(statement), filepath.Base(model))
	assert.Contains(t, string(statement), digest)
}
