package provisioner

import (
	"bytes"
	"errors"
	"log"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/packer-plugin-sdk/hcl2helper"
	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/fieldcheck"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/digest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/lockfile"
)

var (
	goodDigest  = digest.SHA256Prefix + strings.Repeat("ab", 32)
	otherDigest = digest.SHA256Prefix + strings.Repeat("cd", 32)
)

// block is a nested block as Packer passes it.
type block = map[string]any

// valid returns a valid configuration, which each test modifies.
func valid() block {
	return block{
		"context": "cloud-init",
		"localai": block{"source": "https://example.org/local-ai", "checksum": goodDigest, "version": "v4.9.0"},
		"backend": block{"source": "backends/llama-cpp"},
		"model":   block{"source": "model.gguf", "checksum": "none"},
	}
}

const (
	lockedEngine  = "https://example.org/local-ai-amd64"
	lockedEngine2 = "https://example.org/local-ai-arm64"
	lockedModel   = "https://example.org/qwen-q4.gguf"
)

// fullLock pins everything; the engine only for one architecture.
func fullLock() lockfile.Lock {
	return lockfile.Lock{Inputs: []lockfile.Input{
		{Kind: lockfile.KindContextPackage, Name: "one-context", Version: "7.2.1", Source: "https://example.org/one-context.deb", Digest: goodDigest},
		{Kind: lockfile.KindLocalAI, Name: "local-ai", Version: "v4.9.0", Arch: "amd64", Source: lockedEngine, Digest: goodDigest, Size: 17, License: "MIT"},
		{Kind: lockfile.KindLocalAI, Name: "local-ai", Version: "v4.9.0", Arch: "arm64", Source: lockedEngine2, License: "MIT"},
		{Kind: lockfile.KindBackend, Name: "llama-cpp", Source: "oci://quay.io/backends:v4.9.0", Digest: goodDigest, License: "MIT"},
		{Kind: lockfile.KindModel, Name: "qwen", Source: lockedModel, Digest: goodDigest, Size: 23, License: "Apache-2.0"},
	}}
}

func writeLock(t *testing.T, lock lockfile.Lock) string {
	path := filepath.Join(t.TempDir(), "test.lock.hcl")
	require.NoError(t, lockfile.Write(path, lock))
	return path
}

func TestDefaults(t *testing.T) {
	var p Provisioner
	require.NoError(t, p.Prepare(valid()))
	assert.Empty(t, p.config.ApplianceVersion, "it follows the source")
	assert.Equal(t, "devstral-small-2", p.config.Model.ID)
	assert.Equal(t, "Devstral Small 2 24B", p.config.Model.Name)
}

func TestEmptyBlockIsWhatTheLockSays(t *testing.T) {
	var p Provisioner
	require.NoError(t, p.Prepare(block{"lock_file": writeLock(t, fullLock())}))
	assert.Equal(t, "one-context", p.config.Context)
	assert.Equal(t, "v4.9.0", p.config.LocalAI.Version)
	assert.Equal(t, "qwen", p.config.Model.ID)
	assert.Equal(t, "Apache-2.0", p.config.Model.License)

	all, err := p.config.pinAll("amd64")
	require.NoError(t, err)
	assert.Equal(t, fullLock().Inputs[1], all[fieldLocalAI].input)
	assert.Equal(t, fullLock().Inputs[4], all[fieldModel].input)
	assert.Equal(t, "one-context", all[fieldContextPackage].input.Name)

	_, err = p.config.pinAll("arm64")
	assert.EqualError(t, err, "localai: "+lockedEngine2+" is not pinned: run `make lock`, set the checksum, or set allow_unpinned = true")

	p.config.AllowUnpinned = true
	all, err = p.config.pinAll("arm64")
	require.NoError(t, err)
	assert.Empty(t, all[fieldLocalAI].checksum())
}

// Regardless of what the lock in the plugin contains, the only thing that can be wrong with
// an empty block is a missing pin.
func TestEmptyBlockWithTheLockInThePlugin(t *testing.T) {
	err := new(Provisioner).Prepare(block{"allow_unpinned": true})
	require.NoError(t, err)
	if mistakes := (*packersdk.MultiError)(nil); errors.As(new(Provisioner).Prepare(block{}), &mistakes) {
		for _, mistake := range mistakes.Errors {
			assert.ErrorContains(t, mistake, "is not pinned: run `make lock`")
		}
	}
}

func TestPins(t *testing.T) {
	oci := "oci://quay.io/backends@" + otherDigest
	for name, tt := range map[string]struct {
		block            payloadBlock
		checksum, source string
		size             int64
		err              string
	}{
		"by the lock":           {payloadBlock{fieldModel, lockfile.KindModel, "", "", "", "", ""}, goodDigest, lockedModel, 23, ""},
		"by the lock, named":    {payloadBlock{fieldModel, lockfile.KindModel, lockedModel, "", "", "", ""}, goodDigest, lockedModel, 23, ""},
		"by the template":       {payloadBlock{fieldModel, lockfile.KindModel, "https://x/m.gguf", otherDigest, "", "", ""}, otherDigest, "https://x/m.gguf", 0, ""},
		"by both":               {payloadBlock{fieldModel, lockfile.KindModel, lockedModel, strings.ToUpper(goodDigest[:9]) + goodDigest[9:], "", "", ""}, "", "", 0, ""},
		"contradiction":         {payloadBlock{fieldModel, lockfile.KindModel, lockedModel, otherDigest, "", "", ""}, "", "", 0, "model.checksum: " + otherDigest + " contradicts the lock in the plugin, which has " + goodDigest + " for " + lockedModel + ": correct one of them"},
		"contradiction, unsaid": {payloadBlock{fieldModel, lockfile.KindModel, "", otherDigest, "", "", ""}, "", "", 0, "model.checksum: " + otherDigest + " contradicts"},
		"by nobody":             {payloadBlock{fieldModel, lockfile.KindModel, "https://u:geheim@x/m.gguf?t=geheim", "", "", "", ""}, "", "", 0, "model: https://x/m.gguf is not pinned: run `make lock`, set the checksum, or set allow_unpinned = true"},
		"a path by nobody":      {payloadBlock{fieldLocalAI, lockfile.KindLocalAI, "/home/me/local-ai", "", "", "", ""}, "", "", 0, "localai: local-ai is not pinned"},
		"a path as it is":       {payloadBlock{fieldLocalAI, lockfile.KindLocalAI, "/home/me/local-ai", "none", "", "", ""}, "none", "/home/me/local-ai", 0, ""},
		"a directory":           {payloadBlock{fieldBackend, lockfile.KindBackend, "backends/llama-cpp", "", "", "", ""}, "", "backends/llama-cpp", 0, ""},
		"in the reference":      {payloadBlock{fieldBackend, lockfile.KindBackend, oci, "", "", "", ""}, otherDigest, oci, 0, ""},
		"twice":                 {payloadBlock{fieldBackend, lockfile.KindBackend, oci, goodDigest, "", "", ""}, "", "", 0, "backend.checksum: " + goodDigest + " differs from the digest in backend.source: remove one of them"},
		"a tag":                 {payloadBlock{fieldBackend, lockfile.KindBackend, "oci://quay.io/backends:latest", "", "", "", ""}, "", "", 0, "backend: oci://quay.io/backends:latest is not pinned"},
	} {
		t.Run(name, func(t *testing.T) {
			c := Config{lock: fullLock()}
			if name == "by both" {
				tt.checksum, tt.source, tt.size = goodDigest, lockedModel, 23
			}
			got, err := c.pin(tt.block, "amd64")
			if tt.err != "" {
				require.ErrorContains(t, err, tt.err)
				assert.NotContains(t, err.Error(), "geheim")
				return
			}
			require.NoError(t, err)
			assert.Equal(t, tt.checksum, got.checksum())
			assert.Equal(t, tt.source, got.input.Source)
			assert.Equal(t, tt.size, got.input.Size)
		})
	}
}

func TestConfigMistakes(t *testing.T) {
	const checksumForm = `must be "sha256:" and 64 hexadecimal digits`
	for name, tt := range map[string]struct {
		block, attribute, value string
		mistake                 string
	}{
		"other scheme":           {"model", "source", "ftp://user:geheim@x/m", "model.source: must be a path or an http(s) URL"},
		"backend, other scheme":  {"backend", "source", "ftp://x/b.tar", "backend.source: must be a path or an http(s) URL, or an OCI image (oci://host/repository:tag)"},
		"no host":                {"localai", "source", "http://", "localai.source: must be a path or an http(s) URL"},
		"not pinned":             {"localai", "checksum", "", "localai: https://example.org/local-ai is not pinned: run `make lock`, set the checksum, or set allow_unpinned = true"},
		"a path not pinned":      {"model", "checksum", "", "model: model.gguf is not pinned"},
		"other algorithm":        {"localai", "checksum", "md5:00", "localai.checksum: " + checksumForm},
		"unchecked download":     {"localai", "checksum", "none", `localai.checksum: must be "sha256:<hex>" when the source is downloaded`},
		"unchecked image":        {"backend", "checksum", "none", `backend.checksum: must be "sha256:<hex>" when the source is downloaded`},
		"no version":             {"localai", "version", "", `localai.version: must be set to a version such as "v4.9.0"`},
		"bad version":            {"localai", "version", "4 9", `localai.version: must be a version such as "v4.9.0", got "4 9"`},
		"unknown archive":        {"backend", "source", "https://x/b.zip", "backend.source: must end in .tar, .tar.gz, .tgz or .tar.zst when it is a URL"},
		"archive not pinned":     {"backend", "source", "b.tar.gz", "backend: b.tar.gz is not pinned"},
		"image not pinned":       {"backend", "source", "oci://quay.io/x/b:v1", "backend: oci://quay.io/x/b:v1 is not pinned"},
		"directory bad checksum": {"backend", "checksum", "abc", "backend.checksum: " + checksumForm},
		"bad id":                 {"model", "id", "a/b", "model.id: must be the id of a model"},
		"bad name":               {"model", "name", "a\nb", "model.name: must be up to 100 printable ASCII characters"},
		"bad quantization":       {"model", "quantization", "ü", "model.quantization: must be up to 100 printable ASCII characters"},
		"bad license":            {"model", "license", "free as in beer?", "model.license: "},
		"unknown attribute":      {"model", "url", "x", "url"},
	} {
		t.Run(name, func(t *testing.T) {
			raw := valid()
			if name == "unchecked image" {
				raw["backend"].(block)["source"] = "oci://quay.io/x/b:v1"
			}
			raw[tt.block].(block)[tt.attribute] = tt.value
			err := new(Provisioner).Prepare(raw)
			require.ErrorContains(t, err, tt.mistake)
			assert.NotContains(t, err.Error(), "geheim")
			assert.LessOrEqual(t, strings.Count(err.Error(), "* "), 1, "one mistake, one line: %v", err)
		})
	}
}

func TestTopLevelMistakes(t *testing.T) {
	for mistake, change := range map[string]block{
		`context: must be one of cloud-init, one-context, got "ec2"`:      {"context": "ec2"},
		`context_package: is for context = "one-context" alone`:           {"context_package": block{"source": "one.deb", "checksum": "none"}},
		"context_package: one.deb is not pinned":                          {"context": "one-context", "context_package": block{"source": "one.deb"}},
		`packages[1]: must be the name of a Debian package, got "nginx-"`: {"packages": []string{"g++", "nginx-"}},
		`packages[0]: must be the name of a Debian package, got "-o x"`:   {"packages": []string{"-o x"}},
		`packages[0]: must be set to the name of a Debian package`:        {"packages": []string{""}},
		`appliance_version: must be a version such as "1.0.0", got "a b"`: {"appliance_version": "a b"},
		"lock_file: ": {"lock_file": filepath.Join(t.TempDir(), "none.hcl")},
	} {
		raw := valid()
		for name, value := range change {
			raw[name] = value
		}
		err := new(Provisioner).Prepare(raw)
		require.ErrorContains(t, err, mistake)
		assert.LessOrEqual(t, strings.Count(err.Error(), "* "), 1, "one mistake, one line: %v", err)
	}
}

func TestEveryMistakeAtOnce(t *testing.T) {
	err := new(Provisioner).Prepare(block{"appliance_version": "a b", "lock_file": writeLock(t, lockfile.Lock{}), "model": block{"source": "x", "id": "/"}})
	for _, mistake := range []string{
		"localai.source: must be set: ", "localai.version: must be", "backend.source: must be set: ", "model: x is not pinned", "model.id: must be", "appliance_version: must be",
	} {
		assert.ErrorContains(t, err, mistake)
	}
}

func TestUnknownValuesAreNotJudged(t *testing.T) {
	for _, unknown := range []string{hcl2helper.UnknownVariableValue, fieldcheck.Unknown} {
		require.NoError(t, new(Provisioner).Prepare(block{
			"localai":           block{"source": unknown, "checksum": unknown, "version": unknown},
			"backend":           block{"source": unknown, "checksum": unknown, "token": unknown},
			"model":             block{"source": unknown, "checksum": unknown, "id": unknown, "name": unknown, "quantization": unknown, "license": unknown, "token": unknown},
			"context":           unknown,
			"context_package":   block{"source": unknown, "checksum": unknown},
			"packages":          []string{unknown},
			"package_directory": unknown,
			"appliance_version": unknown,
		}))
		require.NoError(t, new(Provisioner).Prepare(block{"lock_file": unknown}), "the pins are to come")
	}
}

func TestSecretsAreHiddenFromTheLog(t *testing.T) {
	var written bytes.Buffer
	packersdk.LogSecretFilter.SetOutput(&written)
	raw := valid()
	raw["model"] = block{"source": "https://me:kennwort@example.org/m.gguf", "checksum": goodDigest, "token": "hf_kennzeichen"}
	raw["other_model"] = []block{{"source": "https://me:losung@example.org/n.gguf", "checksum": goodDigest, "token": "hf_anderes", "id": "n"}}
	raw["backend"].(block)["token"] = "quay_kennzeichen"
	require.NoError(t, new(Provisioner).Prepare(raw))
	log.New(&packersdk.LogSecretFilter, "", 0).Print("hf_kennzeichen quay_kennzeichen kennwort hf_anderes losung seen")
	assert.Equal(t, "<sensitive> <sensitive> <sensitive> <sensitive> <sensitive> seen\n", written.String())
	packersdk.LogSecretFilter.SetOutput(os.Stderr)
}

func TestArchivesByName(t *testing.T) {
	for source, want := range map[string]bool{
		"b.tar": true, "b.tar.gz": true, "b.tgz": true, "b.tar.zst": true, "https://x/b.tar?sig=1": true,
		"llama-cpp": false, "x.tar/llama": false, "https://x/b?f=b.tar": false,
	} {
		assert.Equal(t, want, isArchive(source), source)
	}
}
