// Package examples_test holds the examples to the installed plugin: they are formatted as
// Packer formats and valid as Packer validates, without network or credentials.
package examples_test

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/lockfile"
)

// packer runs the packer and the plugin that make build installed, from the top of the
// repository: the paths in the examples start there.
func packer(t *testing.T, arguments ...string) (string, error) {
	t.Helper()
	top, err := filepath.Abs("..")
	require.NoError(t, err)
	binary := filepath.Join(top, ".tools", "bin", "packer")
	require.FileExists(t, binary, "run make setup")
	command := exec.CommandContext(t.Context(), binary, arguments...)
	command.Dir = top
	command.Env = append(os.Environ(), "CHECKPOINT_DISABLE=1", "PACKER_PLUGIN_PATH="+filepath.Join(top, ".tools", "plugins"))
	output, err := command.CombinedOutput()
	return string(output), err
}

// flat undoes the breaks Packer puts into long lines.
func flat(output string) string { return strings.Join(strings.Fields(output), " ") }

func TestExamplesAreFormatted(t *testing.T) {
	output, err := packer(t, "fmt", "-check", "-diff", "-recursive", "examples")
	assert.NoError(t, err, output)
}

func TestTheDemoIsValid(t *testing.T) {
	output, err := packer(t, "validate", "examples/demo")
	require.NoError(t, err, output)
	assert.Contains(t, output, "The configuration is valid.")
}

func TestPublishingIsValid(t *testing.T) {
	arguments := []string{"-var=image=dist/x.qcow2", "-var=endpoint=https://one.example.org:2633/RPC2"}
	output, err := packer(t, append(append([]string{"validate"}, arguments...), "examples/publish")...)
	require.NoError(t, err, output)
	assert.Contains(t, output, "The configuration is valid.")

	output, err = packer(t, "validate", "-var=image=x", "-var=endpoint=one.example.org", "-var=staging=tmp", "-var=username=u", "-var=password=hush", "-var=keep_versions=-1", "examples/publish")
	require.Error(t, err, output)
	for _, mistake := range []string{"opennebula.endpoint: must be", "opennebula.transfer.path: must be", "opennebula.keep_versions: must be"} {
		assert.Contains(t, flat(output), mistake)
	}
	assert.NotContains(t, output, "hush")
}

// applianceExample is a copy of the real appliance's example.
func applianceExample(t *testing.T) string {
	t.Helper()
	copied := t.TempDir()
	require.NoError(t, os.CopyFS(copied, os.DirFS("devstral")))
	return copied
}

// pinAll gives every input of a lock a digest, as make lock does where there is a network.
func pinAll(t *testing.T, path string) {
	t.Helper()
	lock, err := lockfile.Read(path)
	require.NoError(t, err)
	for i := range lock.Inputs {
		lock.Inputs[i].Digest = cmp.Or(lock.Inputs[i].Digest, "sha256:"+strings.Repeat("0", 64))
	}
	require.NoError(t, lockfile.Write(path, lock))
}

func TestTheApplianceIsValidOnceItIsPinned(t *testing.T) {
	variants := map[string][]string{
		"as it is":      nil,
		"small":         {"-var-file=small.pkrvars.hcl"},
		"model disk":    {"-var-file=model-disk.pkrvars.hcl"},
		"small, apart":  {"-var-file=small.pkrvars.hcl", "-var-file=model-disk.pkrvars.hcl"},
		"offline":       {"-var-file=offline.pkrvars.hcl"},
		"arm64":         {"-var=architecture=aarch64"},
		"a gated model": {"-var=model_token=secret"},
	}
	files, err := filepath.Glob("devstral/*.pkrvars.hcl")
	require.NoError(t, err)
	for _, file := range files {
		assert.Contains(t, fmt.Sprint(variants), "-var-file="+filepath.Base(file), "no variant uses it")
	}
	for name, arguments := range variants {
		t.Run(name, func(t *testing.T) {
			example := applianceExample(t)
			for i, argument := range arguments {
				arguments[i] = strings.Replace(argument, "-var-file=", "-var-file="+example+"/", 1)
			}
			command := append(append([]string{"validate"}, arguments...), example)
			output, err := packer(t, command...)
			require.Error(t, err, output)
			assert.Contains(t, flat(output), "is not pinned: run `make lock`")

			pinAll(t, filepath.Join(example, "slm-copilot.lock.hcl"))
			pinAll(t, filepath.Join(example, "small.lock.hcl"))
			output, err = packer(t, command...)
			require.NoError(t, err, output)
			assert.Contains(t, output, "The configuration is valid.")
			assert.NotContains(t, output, "secret")
		})
	}
}

// The lock files of the examples are as make lock writes them.
func TestTheLocksAreAsWritten(t *testing.T) {
	files, err := filepath.Glob("devstral/*.lock.hcl")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		lock, err := lockfile.Read(file)
		require.NoError(t, err)
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		assert.Equal(t, string(lock.Encode()), string(content), file)
	}
}

const (
	goodSource = `
source "slm-copilot" "x" {
  base_image = "ubuntu-24.04"
}
`
	badSource = `
source "slm-copilot" "x" {
  base_image          = "plan9"
  base_image_checksum = "md5:1"
  disk_size           = "big"
  cpus                = -1
}
`
	badProvisioner = `
  provisioner "slm-copilot" {
    localai {
      source = "https://example.org/local-ai"
    }
    backend {
      source = "https://example.org/backend.zip"
    }
    model {
      source   = "model.gguf"
      checksum = "sha256:short"
      id       = "two words"
    }
  }
`
	badVerify = `
  post-processor "slm-copilot-verify" {
    memory = 1
    context = {
      ONEAPP_COPILOT_CONTEXT_SIZE = "12"
      ONEAPP_COPILOT_THREADS      = "all"
    }
  }
`
	badMarketplace = `
  post-processor "slm-copilot-marketplace" {
    app {
      name = "slash/es"
    }
    catalog {
      base_url = "ftp://example.org"
    }
  }
`
)

// Packer asks the components of a build one after the other and stops at the first that
// objects; each of them names all it objects to, by its field.
func TestEveryMistakeIsListedAtOnce(t *testing.T) {
	for name, test := range map[string]struct {
		source, build string
		fields        []string
	}{
		"source":      {badSource, "", []string{"base_image_checksum", "disk_size", "cpus"}},
		"misspelling": {`source "slm-copilot" "x" { base_imgae = "x" }`, "", []string{"base_imgae"}},
		"no image":    {`source "slm-copilot" "x" {}`, "", []string{"base_image"}},
		"provisioner": {goodSource, badProvisioner, []string{"localai:", "localai.version", "backend.source", "model.checksum", "model.id"}},
		"verify":      {goodSource, badVerify, []string{"memory", "ONEAPP_COPILOT_CONTEXT_SIZE", "ONEAPP_COPILOT_THREADS"}},
		"marketplace": {goodSource, badMarketplace, []string{"app.name", "catalog.directory", "catalog.base_url"}},
	} {
		t.Run(name, func(t *testing.T) {
			template := filepath.Join(t.TempDir(), "bad.pkr.hcl")
			build := "\nbuild {\n  sources = [\"source.slm-copilot.x\"]\n" + test.build + "}\n"
			require.NoError(t, os.WriteFile(template, []byte(test.source+build), 0o600))
			output, err := packer(t, "validate", template)
			require.Error(t, err, output)
			for _, field := range test.fields {
				assert.Contains(t, output, field)
			}
		})
	}
}
