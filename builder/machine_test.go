package builder

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/packer-plugin-qemu/builder/qemu"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/goldentest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/fetch"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/vm/accelerator"
)

func decoded(t *testing.T, block map[string]any) *Config {
	t.Helper()
	var c Config
	_, err := c.decode(block, packerData())
	require.NoError(t, err)
	return &c
}

func TestMachineIsGolden(t *testing.T) {
	golden, err := filepath.Abs("testdata")
	require.NoError(t, err)
	directory, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	t.Chdir(directory)
	require.NoError(t, os.WriteFile("base image?.qcow2", nil, 0o600))
	require.NoError(t, os.Symlink("base image?.qcow2", "base.qcow2"))
	model := map[string]any{"source": "/models/a,b.gguf", "checksum": someChecksum}
	tests := map[string]map[string]any{
		"default-kvm": {"accelerator": accelerator.KVM},
		"all-tcg": {
			"accelerator": accelerator.TCG,
			"disk_size":   "8G", "cpus": 4, "memory": 2048, "machine_type": "q35", "image_name": "copilot", "image_version": "2.1",
			"output_directory": "out/x", "shutdown_timeout": "1m", "cloud_init": "timezone: UTC\n",
		},
		"uefi":       {"accelerator": accelerator.KVM, "firmware": "uefi"},
		"weights":    {"accelerator": accelerator.KVM, "memory": 4096, "model": model},
		"model-disk": {"accelerator": accelerator.KVM, "memory": 4096, "model": model, "model_disk": true},
	}
	for name, block := range tests {
		t.Run(name, func(t *testing.T) {
			got := goldenMachine(t, block, directory)
			path := filepath.Join(golden, name+".json")
			goldentest.Equal(t, path, got)
		})
	}
}

// goldenMachine returns the machine configuration of a build whose inputs are fetched.
func goldenMachine(t *testing.T, block map[string]any, directory string) string {
	t.Helper()
	block["base_image"], block["base_image_checksum"] = "base.qcow2", someChecksum
	work := newBuild(decoded(t, block), quiet())
	work.base = "base.qcow2"
	work.weights = fetch.File{Path: "/models/a,b.gguf", SHA256: strings.TrimPrefix(someChecksum, "sha256:"), Size: 1}
	raw, err := work.machine(key{private: []byte("PRIVATE"), authorized: "ssh-ed25519 PUBLIC"})
	require.NoError(t, err)
	got, err := json.MarshalIndent(raw, "", "  ")
	require.NoError(t, err)
	return strings.ReplaceAll(string(got), directory, "/build") + "\n"
}

// This host has neither QEMU nor UEFI firmware for aarch64.
func TestArmMachine(t *testing.T) {
	t.Chdir(t.TempDir())
	work := newBuild(decoded(t, map[string]any{"base_image": "debian-13", "base_image_checksum": someChecksum, "architecture": arm, "accelerator": "tcg"}), quiet())
	assert.Equal(t, "uefi", work.config.Firmware)
	assert.Equal(t, "slm-copilot-1.0.0-aarch64.qcow2", work.config.imageFile())
	arguments, err := work.qemuArguments("serial.log")
	require.NoError(t, err)
	assert.Contains(t, arguments, []string{"-machine", "type=virt,gic-version=max"})

	input, err := work.config.pinBase()
	require.NoError(t, err)
	assert.Contains(t, input.Source, "debian-13-generic-arm64.qcow2")
	assert.ErrorContains(t, (&stepCheckHost{work}).check(t.Context()), "qemu-system-aarch64 is not installed: install the package qemu-system-arm")
	assert.ErrorContains(t, (&stepCheckHost{work}).check(t.Context()), "install the package qemu-efi-aarch64")

	var c Config
	_, err = c.decode(map[string]any{"base_image": "debian-13", "base_image_checksum": someChecksum, "architecture": arm, "firmware": "bios"}, packerData())
	assert.ErrorContains(t, err, "firmware: aarch64 has no BIOS")
}

// The builder of packer-plugin-qemu rejects unknown and wrong settings.
func TestMachineIsAcceptedByQEMUsBuilder(t *testing.T) {
	t.Chdir(t.TempDir())
	require.NoError(t, os.WriteFile("base.qcow2", nil, 0o600))
	k, err := newKey()
	require.NoError(t, err)
	for _, kind := range []string{"bios", "uefi"} {
		work := newBuild(decoded(t, map[string]any{"base_image": "base.qcow2", "base_image_checksum": "none", "firmware": kind}), quiet())
		work.base = "base.qcow2"
		raw, err := work.machine(k)
		require.NoError(t, err)
		_, _, err = new(qemu.Builder).Prepare(raw)
		assert.NoError(t, err)
	}
}

func TestKeysAreMadeForEachBuild(t *testing.T) {
	first, err := newKey()
	require.NoError(t, err)
	second, err := newKey()
	require.NoError(t, err)
	assert.NotEqual(t, first.authorized, second.authorized)

	signer, err := ssh.ParsePrivateKey(first.private)
	require.NoError(t, err)
	public, _, _, _, err := ssh.ParseAuthorizedKey([]byte(first.authorized))
	require.NoError(t, err)
	assert.Equal(t, public.Marshal(), signer.PublicKey().Marshal(), "both halves belong together")
	assert.Equal(t, "ssh-ed25519", public.Type())
}
