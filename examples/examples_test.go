// Package examples_test holds the examples to the installed plugin: they are formatted as
// Packer formats and valid as Packer validates, without network or credentials.
package examples_test

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/goldentest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/model/catalogue"
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

// applianceExample is a copy of an example with the real appliance. Links are copied as what they
// lead to.
func applianceExample(t *testing.T, directory string) string {
	t.Helper()
	copied := t.TempDir()
	files, err := os.ReadDir(directory)
	require.NoError(t, err)
	for _, file := range files {
		content, err := os.ReadFile(filepath.Join(directory, file.Name()))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(copied, file.Name()), content, 0o600))
	}
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
		t.Run(name, func(t *testing.T) { validOncePinned(t, "devstral", arguments) })
	}
}

func TestTheFastApplianceIsValidOnceItIsPinned(t *testing.T) {
	for name, arguments := range map[string][]string{"as it is": nil, "arm64": {"-var=architecture=aarch64"}} {
		t.Run(name, func(t *testing.T) { validOncePinned(t, "fast", arguments) })
	}
}

func validOncePinned(t *testing.T, directory string, arguments []string) {
	t.Helper()
	example := applianceExample(t, directory)
	command := []string{"validate"}
	for _, argument := range arguments {
		command = append(command, strings.Replace(argument, "-var-file=", "-var-file="+example+"/", 1))
	}
	command = append(command, example)
	output, err := packer(t, command...)
	require.Error(t, err, output)
	assert.Contains(t, flat(output), "is not pinned: run `make lock`")

	locks, err := filepath.Glob(filepath.Join(example, "*.lock.hcl"))
	require.NoError(t, err)
	for _, lock := range locks {
		pinAll(t, lock)
	}
	output, err = packer(t, command...)
	require.NoError(t, err, output)
	assert.Contains(t, output, "The configuration is valid.")
	assert.NotContains(t, output, "secret")
}

// Apps of one name are versions of each other, so each model has its own; what people read of it is
// what the catalogue says, and the memory is enough for the default context.
func TestExamplesSayWhatTheCatalogueSays(t *testing.T) {
	apps := map[string]string{}
	for _, file := range []string{"devstral/devstral.pkr.hcl", "devstral/small.pkrvars.hcl", "fast/fast.auto.pkrvars.hcl"} {
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		value := func(name string) string {
			given := regexp.MustCompile(`(?m)^` + name + ` += "?([^"\n]+)"?$|variable "` + name + `" \{\n.*\n +default += "?([^"\n]+)"?\n`)
			found := given.FindStringSubmatch(string(content))
			require.NotNil(t, found, "%s of %s", name, file)
			return cmp.Or(found[1], found[2])
		}
		model, known := catalogue.ByID(value("model_id"))
		require.True(t, known, file)
		assert.Equal(t, model.Name, value("model_name"), file)
		memory, err := strconv.Atoi(value("memory"))
		require.NoError(t, err)
		assert.GreaterOrEqual(t, memory, model.MemoryMiB(appliance.DefaultContextSize), file)
		assert.Empty(t, apps[value("app_name")], "%s: an app of this name is there", file)
		apps[value("app_name")] = file
	}
}

// The table that says which example to take is from the catalogue: go test ./examples -update.
func TestTheTableOfWhichToTake(t *testing.T) {
	table := "| | model | made by | licence | quality as published | active parameters | memory for 32K of context | speed, as users have published it |\n|---|---|---|---|---|---|---|---|\n"
	for _, row := range [][2]string{
		{"[`devstral`](devstral)", "devstral-small-2"}, {"[`fast`](fast)", "qwen3-coder-30b-a3b"}, {"`small.pkrvars.hcl` of `devstral`", "qwen2.5-coder-7b"},
	} {
		m, known := catalogue.ByID(row[1])
		require.True(t, known, row[1])
		quality := "none on the same benchmark"
		if m.Quality != "" {
			quality = "[" + m.Quality + "](" + m.QualitySource + ")"
		}
		speed := "none of this class"
		if m.Speed != "" {
			speed = "[" + m.Speed + "](" + m.SpeedSource + ")"
		}
		table += fmt.Sprintf("| %s | [%s](%s), %.1f GB | %s | %s | %s | %vB of %vB | %d GiB | %s |\n", row[0], m.Name, m.Card, float64(m.Size)/1e9,
			m.Maker, m.License, quality, cmp.Or(m.ActiveParameters, m.Parameters), m.Parameters, m.MemoryMiB(appliance.DefaultContextSize)>>10, speed)
	}
	goldentest.Block(t, "README.md", "choice", table)
}

// The lock files of the examples are as make lock writes them.
func TestTheLocksAreAsWritten(t *testing.T) {
	files, err := filepath.Glob("*/*.lock.hcl")
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
