package provisioner

import (
	"strings"
	"testing"

	"github.com/hashicorp/packer-plugin-sdk/hcl2helper"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/hclunknown"
)

var digest = "sha256:" + strings.Repeat("ab", 32)

// block is a nested block as Packer hands it over.
type block = map[string]any

// valid returns a right configuration, for each test to break.
func valid() block {
	return block{
		"localai": block{"source": "https://example.org/local-ai", "checksum": digest, "version": "v4.9.0"},
		"backend": block{"source": "backends/llama-cpp"},
		"model":   block{"source": "model.gguf", "checksum": "none"},
	}
}

func TestDefaults(t *testing.T) {
	var p Provisioner
	require.NoError(t, p.Prepare(valid()))
	assert.Equal(t, "1.0.0", p.config.ApplianceVersion)
	assert.Equal(t, "devstral-small-2", p.config.Model.ID)
	assert.Equal(t, "devstral-small-2", p.config.Model.Name)
}

func TestConfigMistakes(t *testing.T) {
	const checksumForm = `must be "sha256:" and 64 hexadecimal digits`
	for name, tt := range map[string]struct {
		block, attribute, value string
		mistake                 string
	}{
		"no source":              {"localai", "source", "", "localai.source: must be set to a path or an http(s) URL"},
		"other scheme":           {"model", "source", "ftp://user:geheim@x/m", "model.source: must be a path or an http(s) URL"},
		"no host":                {"localai", "source", "http://", "localai.source: must be a path or an http(s) URL"},
		"no checksum":            {"model", "checksum", "", `model.checksum: must be set: "sha256:<hex>", or "none" for a local file taken as it is`},
		"other algorithm":        {"localai", "checksum", "md5:00", "localai.checksum: " + checksumForm},
		"unchecked download":     {"localai", "checksum", "none", `localai.checksum: must be "sha256:<hex>" when the source is a URL`},
		"no version":             {"localai", "version", "", `localai.version: must be set to a version such as "v4.9.0"`},
		"bad version":            {"localai", "version", "4 9", `localai.version: must be a version such as "v4.9.0", got "4 9"`},
		"unknown archive":        {"backend", "source", "https://x/b.zip", "backend.source: must end in .tar, .tar.gz, .tgz or .tar.zst when it is a URL"},
		"archive unchecked":      {"backend", "source", "b.tar.gz", "backend.checksum: must be set"},
		"directory bad checksum": {"backend", "checksum", "abc", "backend.checksum: " + checksumForm},
		"bad id":                 {"model", "id", "a/b", "model.id: must be up to 64 letters"},
		"bad name":               {"model", "name", "a\nb", "model.name: must be up to 100 printable ASCII characters"},
		"bad quantization":       {"model", "quantization", "ü", "model.quantization: must be up to 100 printable ASCII characters"},
		"unknown attribute":      {"model", "url", "x", "url"},
	} {
		t.Run(name, func(t *testing.T) {
			raw := valid()
			raw[tt.block].(block)[tt.attribute] = tt.value
			err := new(Provisioner).Prepare(raw)
			require.ErrorContains(t, err, tt.mistake)
			assert.NotContains(t, err.Error(), "geheim")
			assert.LessOrEqual(t, strings.Count(err.Error(), "* "), 1, "one mistake, one line: %v", err)
		})
	}
}

func TestEveryMistakeAtOnce(t *testing.T) {
	err := new(Provisioner).Prepare(block{"appliance_version": "a b"})
	for _, field := range []string{
		"localai.source", "localai.checksum", "localai.version", "backend.source", "model.source", "model.checksum", "appliance_version",
	} {
		assert.ErrorContains(t, err, field+": must be")
	}
}

func TestUnknownValuesAreNotJudged(t *testing.T) {
	for _, unknown := range []string{hcl2helper.UnknownVariableValue, hclunknown.Text} {
		require.NoError(t, new(Provisioner).Prepare(block{
			"localai":           block{"source": unknown, "checksum": unknown, "version": unknown},
			"backend":           block{"source": unknown, "checksum": unknown},
			"model":             block{"source": unknown, "checksum": unknown, "id": unknown, "name": unknown, "quantization": unknown},
			"appliance_version": unknown,
		}))
	}
}

func TestArchivesByName(t *testing.T) {
	for source, want := range map[string]bool{
		"b.tar": true, "b.tar.gz": true, "b.tgz": true, "b.tar.zst": true, "https://x/b.tar?sig=1": true,
		"llama-cpp": false, "x.tar/llama": false, "https://x/b?f=b.tar": false,
	} {
		assert.Equal(t, want, isArchive(source), source)
	}
}
