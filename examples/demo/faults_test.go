package demo_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func testWrongChecksum(t *testing.T) {
	wrong := "sha256:0000000000000000000000000000000000000000000000000000000000000000"
	for variable, field := range map[string]string{
		"base_image_checksum": "base_image_checksum",
		"model_checksum":      "model.checksum",
	} {
		t.Run(variable, func(t *testing.T) {
			out := outputDirectory(t)
			made := demo{directory: filepath.Join(out, "demo"), catalog: filepath.Join(out, "marketplace")}
			command := packer(t.Context(), t, demoArguments(made)...)
			last := len(command.Args) - 1
			command.Args = append(command.Args[:last:last], "-var", variable+"="+wrong, command.Args[last])
			output, err := command.CombinedOutput()
			require.Error(t, err)
			assert.Contains(t, string(output), field)
			assert.Contains(t, string(output), wrong)
			assertEmpty(t, out)
		})
	}
}

// testInterruptedBuild interrupts packer while the machine is running, when it could leave
// the most behind.
func testInterruptedBuild(t *testing.T) {
	out := outputDirectory(t)
	made := demo{directory: filepath.Join(out, "demo"), catalog: filepath.Join(out, "marketplace")}
	temporary := t.TempDir()
	interruptAt(t, "Waiting for SSH", temporary, demoArguments(made)...)
	assert.Empty(t, processesNaming(t, out), "left running")
	assertEmpty(t, out)
	assertEmpty(t, temporary)
}

// testInterruptedVerify interrupts packer while it verifies a finished image: the image
// must stay, and nothing else.
func testInterruptedVerify(t *testing.T, made demo) {
	template := filepath.Join(outputDirectory(t), "verify.pkr.hcl")
	require.NoError(t, os.WriteFile(template, []byte(`
variable "image" {
  type = string
}
source "null" "image" {
  communicator = "none"
}
build {
  sources = ["source.null.image"]
  post-processors {
    post-processor "artifice" {
      files = [var.image]
    }
    post-processor "slm-copilot-verify" {
      memory = 2048
    }
  }
}
`), 0o600))
	before := listing(t, made.directory)
	temporary := t.TempDir()
	interruptAt(t, "waiting for the system to boot", temporary, "-var", "image="+made.image, template)
	assert.Empty(t, processesNaming(t, temporary), "left running")
	assert.Equal(t, before, listing(t, made.directory))
	assertEmpty(t, temporary)
}

// testNothingLeftOver checks a successful run.
func testNothingLeftOver(t *testing.T, made demo) {
	assert.Empty(t, processesNaming(t, made.directory), "left running")
	assert.ElementsMatch(t, []string{
		"slm-copilot-1.0.0-x86_64.qcow2",
		"slm-copilot-1.0.0-x86_64.manifest.json",
		"slm-copilot-1.0.0-x86_64.serial.log",
		"slm-copilot-1.0.0-x86_64.lock.hcl",
		"slm-copilot-1.0.0-x86_64.spdx.json",
		"slm-copilot-1.0.0-x86_64.licenses.txt",
		"slm-copilot-1.0.0-x86_64.intoto.json",
		"slm-copilot-1.0.0-x86_64.verify.txt",
		"slm-copilot-1.0.0-x86_64.verify.json",
	}, listing(t, made.directory))
	assert.ElementsMatch(t, []string{"demo", "marketplace"}, listing(t, filepath.Dir(made.directory)))
}

func listing(t *testing.T, directory string) []string {
	t.Helper()
	entries, err := os.ReadDir(directory)
	require.NoError(t, err)
	names := make([]string, len(entries))
	for i, entry := range entries {
		names[i] = entry.Name()
	}
	return names
}

func assertEmpty(t *testing.T, directory string) {
	t.Helper()
	assert.Empty(t, listing(t, directory))
}
