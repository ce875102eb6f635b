package builder

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/packer-plugin-sdk/hcl2helper"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/vm/accelerator"
)

const someChecksum = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// packerData is what Packer adds to every block.
func packerData() map[string]any {
	return map[string]any{"packer_build_name": "demo", "packer_builder_type": "slm-copilot"}
}

func TestPrepareTakesDefaults(t *testing.T) {
	t.Chdir(t.TempDir())
	var b Builder
	generated, warnings, err := b.Prepare(map[string]any{"base_image": "ubuntu-24.04"}, packerData())
	require.NoError(t, err)
	assert.Empty(t, warnings)
	assert.Equal(t, []string{
		"Accelerator", "BaseImage", "BaseImageDigest", "BaseImageSize", "BaseImageSource", "ImageName", "ImageVersion",
	}, generated)

	c := b.config
	assert.Equal(t, "40G", c.DiskSize)
	assert.Equal(t, int64(40)<<30, c.diskBytes())
	assert.Equal(t, 2, c.CPUs)
	assert.Zero(t, c.Memory, "it follows the model")
	assert.Equal(t, "auto", c.Accelerator)
	assert.Equal(t, "pc", c.MachineType)
	assert.Equal(t, "bios", c.Firmware)
	assert.Equal(t, "dist/demo", c.OutputDirectory)
	assert.Equal(t, "dist/demo.partial", c.partialDirectory())
	assert.Equal(t, "dist/demo.serial.log", c.failedSerialLog())
	assert.Equal(t, "slm-copilot-1.0.0-x86_64.qcow2", c.imageFile())
	assert.Equal(t, "slm-copilot-1.0.0-x86_64.serial.log", c.serialLogFile())
}

func TestPrepareListsEveryMistake(t *testing.T) {
	var b Builder
	_, _, err := b.Prepare(map[string]any{
		"base_image":          "ftp://example.org/a.qcow2",
		"base_image_checksum": "md5:1",
		"disk_size":           "forty",
		"cpus":                -1,
		"memory":              64,
		"accelerator":         "warp",
		"machine_type":        "pc,accel=kvm",
		"image_name":          "a/b",
		"image_version":       "1 0",
		"output_directory":    "a,b",
		"architecture":        "riscv64",
		"firmware":            "coreboot",
		"cloud_init":          "- a list",
		"lock_file":           "none.lock.hcl",
		"model":               map[string]any{"source": "s3://a/b", "checksum": "sha256:1"},
		"ssh_timeout":         "soon",
		"shutdown_timeout":    "-1m",
	}, packerData())
	require.Error(t, err)
	for _, want := range []string{
		"base_image: must be a path or an http(s) URL",
		`base_image_checksum: must be "sha256:" and 64 hexadecimal digits`,
		`disk_size: must be a number followed by M, G or T such as "40G", got "forty"`,
		"cpus: must be a whole number from 1 to 1024, got -1",
		"memory: must be a whole number from 512 to 16777216, got 64",
		`accelerator: must be one of auto, kvm, tcg, got "warp"`,
		`machine_type: must be a machine type of QEMU such as "pc", got "pc,accel=kvm"`,
		`image_name: must be up to 64 letters, digits and . _ + ~ -, a letter or digit first, got "a/b"`,
		`image_version: must be up to 64 letters, digits and . _ + ~ -, a letter or digit first, got "1 0"`,
		"output_directory: must hold no comma or line break",
		`architecture: must be one of x86_64, aarch64, got "riscv64"`,
		`firmware: must be one of bios, uefi, got "coreboot"`,
		"cloud_init: must be a mapping of cloud-config",
		"lock_file: read the lock file: open none.lock.hcl: no such file",
		"model.source: must be a path or an http(s) URL",
		`model.checksum: must be "sha256:" and 64 hexadecimal digits`,
		`ssh_timeout: must be a duration such as "15m", got "soon"`,
		`shutdown_timeout: must be a duration such as "15m", got "-1m"`,
	} {
		assert.ErrorContains(t, err, want)
	}
	assert.Contains(t, err.Error(), "18 error(s) occurred")
}

func TestPrepareNamesUnknownAttributes(t *testing.T) {
	var b Builder
	_, _, err := b.Prepare(map[string]any{"base_image": "debian-12", "disk_sise": "1G"}, packerData())
	assert.ErrorContains(t, err, `"disk_sise"`)
}

// Values from a data source or another variable are unknown at validate time.
func TestPrepareAcceptsUnknownValues(t *testing.T) {
	for _, unknown := range []string{"<unknown>", hcl2helper.UnknownVariableValue} {
		var b Builder
		_, _, err := b.Prepare(map[string]any{
			"base_image": unknown, "base_image_checksum": unknown, "disk_size": unknown, "accelerator": unknown,
			"machine_type": unknown, "image_name": unknown, "image_version": unknown, "output_directory": unknown,
			"ssh_timeout": unknown, "shutdown_timeout": unknown, "architecture": unknown, "firmware": unknown,
			"cloud_init": unknown, "lock_file": unknown, "model": map[string]any{"source": unknown, "checksum": unknown},
		}, packerData())
		assert.NoError(t, err)
	}
}

func TestBaseImageChecksum(t *testing.T) {
	const unpinned = "is not pinned: run `make lock`, set the checksum, or set allow_unpinned = true"
	const known = "is neither an image known by name (debian-12, debian-13, ubuntu-22.04, ubuntu-24.04, ubuntu-26.04) nor a file that is here: " +
		"give one of these names, a path or an http(s) URL"
	tests := map[string]struct{ image, checksum, want string }{
		"listed, not pinned":       {"ubuntu-22.04", "", unpinned},
		"listed, pinned":           {"debian-13", someChecksum, ""},
		"listed, unchecked":        {"debian-13", "none", "when it is downloaded"},
		"path, pinned":             {"base.qcow2", someChecksum, ""},
		"path, unchecked":          {"base.qcow2", "none", ""},
		"path without":             {"base.qcow2", "", unpinned},
		"URL, pinned":              {"https://example.org/a.qcow2", someChecksum, ""},
		"URL, unchecked":           {"https://example.org/a.qcow2", "none", "when it is downloaded"},
		"URL without":              {"https://example.org/a.qcow2", "", unpinned},
		"a misspelled name":        {"ubuntu-2404", "", known},
		"a name of next year":      {"ubuntu-26.10", "", `base_image: "ubuntu-26.10" ` + known},
		"such a name, pinned":      {"ubuntu-26.10", someChecksum, known},
		"such a name, unchecked":   {"fedora44", "none", known},
		"a code name":              {"noble", "", known},
		"a variant":                {"ubuntu-24.04-minimal", "", known},
		"a file without a suffix":  {"./noble", someChecksum, ""},
		"listed, the latest LTS":   {"ubuntu-26.04", someChecksum, ""},
		"too short":                {"base.qcow2", "sha256:abc", "64 hexadecimal digits"},
		"no image at all":          {"", "", "base_image: must be set to a path, an http(s) URL or one of debian-12,"},
		"no image, a bad checksum": {"", "x", "base_image: must be set"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			var b Builder
			_, warnings, err := b.Prepare(map[string]any{"base_image": test.image, "base_image_checksum": test.checksum}, packerData())
			if test.want != "" {
				assert.ErrorContains(t, err, test.want)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, test.checksum == "none", len(warnings) == 1, "only an unchecked image is warned of")
		})
	}
}

func TestOutputDirectory(t *testing.T) {
	t.Chdir(t.TempDir())
	require.NoError(t, os.MkdirAll("taken/inside", 0o755))
	require.NoError(t, os.Symlink("nowhere", "dangling"))
	tests := map[string]struct {
		force bool
		// want is the error from Prepare; taken is the one that keeps a build from
		// starting.
		want, taken string
	}{
		"dist/new/": {false, "", ""},
		"taken":     {false, "", "taken exists already; remove it, choose another, or build with -force to replace it"},
		"dangling":  {false, "", "dangling exists already"},
		"taken/":    {true, "", ""},
		"a,b":       {false, "must hold no comma", ""},
		".":         {true, "must name a directory of its own", ""},
		"..":        {true, "must name a directory of its own", ""},
		"/":         {true, "must name a directory of its own", ""},
		"taken/..":  {true, "must name a directory of its own", ""},
	}
	for directory, test := range tests {
		t.Run(strings.ReplaceAll(directory, "/", "|"), func(t *testing.T) {
			var c Config
			data := packerData()
			data["packer_force"] = test.force
			_, err := c.decode(map[string]any{"base_image": "debian-12", "allow_unpinned": true, "output_directory": directory}, data)
			if test.want != "" {
				assert.ErrorContains(t, err, test.want)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, filepath.Clean(directory)+".partial", c.partialDirectory())
			if test.taken == "" {
				assert.NoError(t, c.outputFree())
			} else {
				assert.ErrorContains(t, c.outputFree(), test.taken)
			}
		})
	}
}

func TestTimeoutsAreStretchedUnderEmulation(t *testing.T) {
	assert.Equal(t, 10*time.Minute, timeout("", defaultSSHTimeout, accelerator.KVM))
	assert.Equal(t, 30*time.Minute, timeout("", defaultSSHTimeout, accelerator.TCG))
	assert.Equal(t, 90*time.Second, timeout("90s", defaultSSHTimeout, accelerator.TCG), "the template's word stands")
}
