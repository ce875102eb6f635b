package builder

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/packer-plugin-qemu/builder/qemu"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/accelerator"
)

var update = flag.Bool("update", false, "write the golden files")

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
	tests := map[string]map[string]any{
		"listed-kvm": {"base_image": "ubuntu-24.04", "accelerator": accelerator.KVM},
		"path-tcg": {
			"base_image": "base.qcow2", "base_image_checksum": someChecksum, "accelerator": accelerator.TCG,
			"disk_size": "8G", "cpus": 4, "memory": 2048, "machine_type": "q35", "image_name": "copilot", "image_version": "2.1",
			"output_directory": "out/x", "shutdown_timeout": "1m",
		},
		"url-tcg": {"base_image": "https://example.org/a.qcow2", "base_image_checksum": someChecksum, "accelerator": accelerator.TCG},
	}
	for name, block := range tests {
		t.Run(name, func(t *testing.T) {
			raw, err := newBuild(decoded(t, block)).machine(key{private: []byte("PRIVATE"), authorized: "ssh-ed25519 PUBLIC"})
			require.NoError(t, err)
			got, err := json.MarshalIndent(raw, "", "  ")
			require.NoError(t, err)
			text := strings.ReplaceAll(string(got), directory, "/build") + "\n"
			path := filepath.Join(golden, name+".json")
			if *update {
				require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
			}
			want, err := os.ReadFile(path)
			require.NoError(t, err)
			assert.Equal(t, string(want), text)
		})
	}
}

// What we write must be what that builder reads: unknown or wrong fields are errors.
func TestMachineIsAcceptedByQEMUsBuilder(t *testing.T) {
	t.Chdir(t.TempDir())
	require.NoError(t, os.WriteFile("base.qcow2", nil, 0o600))
	k, err := newKey()
	require.NoError(t, err)
	for image, checksum := range map[string]string{"base.qcow2": "none", "https://example.org/a.qcow2": someChecksum} {
		raw, err := newBuild(decoded(t, map[string]any{"base_image": image, "base_image_checksum": checksum})).machine(k)
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
