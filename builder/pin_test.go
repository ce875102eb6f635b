package builder

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/fieldcheck"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/model/gguf"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/fetch"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/lockfile"
)

const otherChecksum = "sha256:5feceb66ffc86f38d952786c6d696c79c2dbc239dd4e91b46729d73a27fb57e9"

// locked returns the inputs of a lock file: a base image of the catalogue, one that is not
// pinned, one from a URL, one from a path, and a model.
func locked() []lockfile.Input {
	return []lockfile.Input{
		{Kind: lockfile.KindBaseImage, Name: "ubuntu-24.04", Arch: "amd64", Source: "https://example.org/release-20260101/noble.img", Digest: someChecksum, Size: 7},
		{Kind: lockfile.KindBaseImage, Name: "debian-12", Arch: "amd64", Source: "https://example.org/debian/12.qcow2"},
		{Kind: lockfile.KindBaseImage, Name: "mine", Arch: "amd64", Source: "https://example.org/mine.qcow2", Digest: someChecksum, Size: 9},
		{Kind: lockfile.KindBaseImage, Name: "local", Arch: "amd64", Source: "local.qcow2", Digest: someChecksum, Size: 9},
		{Kind: lockfile.KindModel, Name: "tiny", Source: "https://example.org/tiny.gguf", Digest: someChecksum, Size: 11, License: "MIT"},
	}
}

func writeLock(t *testing.T, inputs ...lockfile.Input) {
	t.Helper()
	require.NoError(t, os.WriteFile("a.lock.hcl", lockfile.Lock{Inputs: inputs}.Encode(), 0o600))
}

func TestPinBase(t *testing.T) {
	t.Chdir(t.TempDir())
	writeLock(t, locked()...)
	const unpinned = "is not pinned: run `make lock`, set the checksum, or set allow_unpinned = true"
	tests := map[string]struct {
		block        map[string]any
		source, want string
		size         int64
		err          string
	}{
		"listed, by the lock": {map[string]any{"base_image": "ubuntu-24.04"}, "https://example.org/release-20260101/noble.img", someChecksum, 7, ""},
		"URL, by the lock":    {map[string]any{"base_image": "https://example.org/mine.qcow2"}, "https://example.org/mine.qcow2", someChecksum, 9, ""},
		"said twice": {map[string]any{"base_image": "ubuntu-24.04", "base_image_checksum": strings.ToUpper(someChecksum[7:])}, "", "", 0,
			"base_image_checksum: must be"},
		"said twice, in capitals": {map[string]any{"base_image": "ubuntu-24.04", "base_image_checksum": "sha256:" + strings.ToUpper(someChecksum[7:])},
			"https://example.org/release-20260101/noble.img", someChecksum, 7, ""},
		"contradiction": {map[string]any{"base_image": "ubuntu-24.04", "base_image_checksum": otherChecksum}, "", "", 0,
			"base_image_checksum: " + otherChecksum + " contradicts a.lock.hcl, which has " + someChecksum},
		"contradiction, allowed": {map[string]any{"base_image": "ubuntu-24.04", "base_image_checksum": otherChecksum, "allow_unpinned": true}, "", "", 0, "contradicts"},
		"in the lock without a digest": {map[string]any{"base_image": "debian-12"}, "", "", 0,
			"base_image: https://example.org/debian/12.qcow2 " + unpinned},
		"in the lock without a digest, checksum": {map[string]any{"base_image": "debian-12", "base_image_checksum": otherChecksum},
			"https://example.org/debian/12.qcow2", otherChecksum, 0, ""},
		"allowed":         {map[string]any{"base_image": "debian-12", "allow_unpinned": true}, "https://example.org/debian/12.qcow2", "", 0, ""},
		"not in the lock": {map[string]any{"base_image": "debian-13"}, "", "", 0, "base_image: https://cloud.debian.org/images/cloud/trixie/latest/debian-13-generic-amd64.qcow2 " + unpinned},
		"of another architecture": {map[string]any{"base_image": "ubuntu-24.04", "architecture": "aarch64"}, "", "", 0,
			"base_image: https://cloud-images.ubuntu.com/releases/24.04/release/ubuntu-24.04-server-cloudimg-arm64.img " + unpinned},
		"path, checksum":             {map[string]any{"base_image": "a/b.qcow2", "base_image_checksum": otherChecksum}, "a/b.qcow2", otherChecksum, 0, ""},
		"path, as it is":             {map[string]any{"base_image": "a/b.qcow2", "base_image_checksum": "none"}, "a/b.qcow2", "none", 0, ""},
		"path in the lock, as it is": {map[string]any{"base_image": "local.qcow2", "base_image_checksum": "none"}, "local.qcow2", "none", 0, ""},
		"path, not named":            {map[string]any{"base_image": "/home/me/b.qcow2"}, "", "", 0, "base_image: b.qcow2 " + unpinned},
		"secrets": {map[string]any{"base_image": "https://me:hush@example.org/a.qcow2?token=hush"}, "", "", 0,
			"base_image: https://example.org/a.qcow2 " + unpinned},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			test.block["lock_file"] = "a.lock.hcl"
			var c Config
			_, err := c.decode(test.block, packerData())
			if test.err != "" {
				require.ErrorContains(t, err, test.err)
				assert.NotContains(t, err.Error(), "hush")
				return
			}
			require.NoError(t, err)
			input, err := c.pinBase()
			require.NoError(t, err)
			assert.Equal(t, []any{test.source, test.want, test.size}, []any{input.Source, input.Digest, input.Size})
			assert.NotEmpty(t, input.Name)
		})
	}
}

func TestPinModel(t *testing.T) {
	t.Chdir(t.TempDir())
	writeLock(t, locked()...)
	decode := func(model map[string]any, more map[string]any) (*Config, error) {
		block := map[string]any{"base_image": "ubuntu-24.04", "lock_file": "a.lock.hcl", "model": model}
		for name, value := range more {
			block[name] = value
		}
		c := new(Config)
		_, err := c.decode(block, packerData())
		return c, err
	}
	c, err := decode(map[string]any{}, nil)
	require.NoError(t, err)
	input, err := c.pinModel(c.models()[0])
	require.NoError(t, err)
	assert.Equal(t, locked()[4], input, "the only model of the lock file")

	_, err = decode(map[string]any{"source": "https://example.org/other.gguf"}, nil)
	assert.ErrorContains(t, err, "model: https://example.org/other.gguf is not pinned")
	c, err = decode(map[string]any{"source": "dir/other.gguf", "checksum": otherChecksum}, nil)
	require.NoError(t, err)
	input, err = c.pinModel(c.models()[0])
	require.NoError(t, err)
	assert.Equal(t, lockfile.Input{Kind: lockfile.KindModel, Name: "other.gguf", Source: "dir/other.gguf", Digest: otherChecksum}, input)

	second := locked()[4]
	second.Name, second.Source = "tinier", "https://example.org/tinier.gguf"
	writeLock(t, append(locked(), second)...)
	_, err = decode(map[string]any{}, nil)
	assert.ErrorContains(t, err, "model.source: must be set: a.lock.hcl does not name one model")
	_, err = decode(map[string]any{"id": "small"}, nil)
	assert.ErrorContains(t, err, "model.source: must be set: a.lock.hcl does not name \"small\"")
	c, err = decode(map[string]any{"id": "tinier"}, nil)
	require.NoError(t, err)
	input, err = c.pinModel(c.models()[0])
	require.NoError(t, err)
	assert.Equal(t, second, input)
}

func TestOtherModels(t *testing.T) {
	t.Chdir(t.TempDir())
	second := locked()[4]
	second.Name, second.Source = "tinier", "https://example.org/tinier.gguf"
	writeLock(t, append(locked(), second)...)
	for name, test := range map[string]struct {
		others []map[string]any
		ids    []string
		errs   []string
	}{
		"by id":     {[]map[string]any{{"id": "tinier"}}, []string{"tiny", "tinier"}, nil},
		"by source": {[]map[string]any{{"source": second.Source}}, []string{"tiny", "tinier"}, nil},
		"of its own": {
			[]map[string]any{{"source": "a/b.gguf", "checksum": otherChecksum, "id": "Mine_1.0"}, {"id": "tinier"}}, []string{"tiny", "Mine_1.0", "tinier"}, nil,
		},
		"mistakes": {
			[]map[string]any{
				{"id": "nowhere"}, {"source": "a.gguf", "checksum": otherChecksum}, {"source": "b.gguf", "checksum": "none", "id": "a/b"},
				{"source": "c.gguf", "checksum": "none", "id": "model"}, {"source": "d.gguf", "checksum": "none", "id": "tiny"},
				{"source": "e.gguf", "id": "e"}, {"source": "f.gguf", "checksum": "none", "id": "e"}, {"source": "ftp://x/y", "id": "y"}, {},
			}, nil, []string{
				"other_model[0].source: must be set: a.lock.hcl does not name \"nowhere\"",
				"other_model[1].id: must be the id of a model", "other_model[2].id: must be the id of a model",
				`other_model[3].id: must not be "model": the model of the block model has this file name`,
				`other_model[4].id: must differ from model.id, got "tiny"`,
				"other_model[5]: e.gguf is not pinned", `other_model[6].id: must differ from other_model[5].id, got "e"`,
				"other_model[7].source: must be a path or an http(s) URL",
				"other_model[8].source: must be set: a.lock.hcl does not name one model",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var c Config
			_, err := c.decode(map[string]any{
				"base_image": "ubuntu-24.04", "lock_file": "a.lock.hcl", "model_disk": true, "model": map[string]any{"id": "tiny"}, "other_model": test.others,
			}, packerData())
			if test.errs != nil {
				for _, mistake := range test.errs {
					assert.ErrorContains(t, err, mistake)
				}
				assert.Equal(t, len(test.errs), strings.Count(err.Error(), "* "), err)
				return
			}
			require.NoError(t, err)
			var ids []string
			for _, m := range c.models() {
				ids = append(ids, m.ID)
				_, err := c.pinModel(m)
				require.NoError(t, err)
			}
			assert.Equal(t, test.ids, ids)
		})
	}
}

func TestWhatIsNotKnownOfOtherModelsIsNotJudged(t *testing.T) {
	t.Chdir(t.TempDir())
	writeLock(t, locked()...)
	raw := map[string]any{
		"base_image": "ubuntu-24.04", "lock_file": "a.lock.hcl", "model_disk": true, "model": map[string]any{"id": fieldcheck.Unknown},
		"other_model": []map[string]any{{"source": fieldcheck.Unknown}, {"id": fieldcheck.Unknown}, {"id": "tiny"}},
	}
	_, err := new(Config).decode(raw, packerData())
	require.NoError(t, err)
	raw["lock_file"] = "none.hcl"
	_, err = new(Config).decode(raw, packerData())
	require.ErrorContains(t, err, "lock_file: ")
	assert.Equal(t, 1, strings.Count(err.Error(), "* "), err)
}

func TestOtherModelsAreForAModelDisk(t *testing.T) {
	var c Config
	_, err := c.decode(map[string]any{
		"base_image": "a.qcow2", "base_image_checksum": "none", "model": map[string]any{"source": "m.gguf", "checksum": "none"},
		"other_model": []map[string]any{{"source": "n.gguf", "checksum": "none", "id": "n"}},
	}, packerData())
	assert.ErrorContains(t, err, "other_model: is for model_disk = true: without it the provisioner uploads these models")
}

func TestModelDiskNeedsAModel(t *testing.T) {
	var c Config
	_, err := c.decode(map[string]any{"base_image": "a.qcow2", "base_image_checksum": "none", "model_disk": true}, packerData())
	assert.ErrorContains(t, err, "model_disk: needs the block model")
}

func TestAnUncheckedModelIsWarnedOf(t *testing.T) {
	var c Config
	warnings, err := c.decode(map[string]any{
		"base_image": "a.qcow2", "base_image_checksum": someChecksum, "model": map[string]any{"source": "m.gguf", "checksum": "none"},
	}, packerData())
	require.NoError(t, err)
	require.Len(t, warnings, 1)
	assert.Contains(t, warnings[0], `model.checksum is "none"`)
}

// The lock in the plugin must have every image of the catalogue, at the same or a more
// specific address.
func TestTheCatalogueIsInTheLockOfThePlugin(t *testing.T) {
	for name, listed := range catalogue {
		for _, architecture := range []string{x86, arm} {
			c := Config{BaseImage: name, Architecture: architecture, AllowUnpinned: true}
			require.NoError(t, c.readLock(""))
			_, found := c.lockedBase()
			assert.True(t, found, "%s %s", name, architecture)
			input, err := c.pinBase()
			require.NoError(t, err)
			assert.Contains(t, input.Source, c.goArch())
			assert.Regexp(t, `^https://[^ ]*/SHA(256|512)SUMS$`, listed.list(input.Source), "the list lies beside the image")
		}
	}
}

func TestAGatedModelIsFetchedWithItsToken(t *testing.T) {
	var weights bytes.Buffer
	require.NoError(t, gguf.Write(&weights, gguf.Tiny("test")))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer hf_kennzeichen" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, err := w.Write(weights.Bytes())
		assert.NoError(t, err)
	}))
	t.Cleanup(server.Close)
	t.Chdir(t.TempDir())
	model := map[string]any{"source": server.URL + "/m.gguf", "checksum": fmt.Sprintf("sha256:%x", sha256.Sum256(weights.Bytes())), "token": "hf_kennzeichen"}
	var c Config
	_, err := c.decode(map[string]any{"base_image": "a.qcow2", "base_image_checksum": "none", "model": model}, packerData())
	require.NoError(t, err)
	var said []string
	fetcher := fetch.New(t.TempDir(), func(line string) { said = append(said, line) })
	step := stepFetch{newBuild(&c, quiet())}
	require.NoError(t, step.fetchModels(t.Context(), fetcher))
	assert.Equal(t, int64(weights.Len()), step.weights.Size)
	assert.NotContains(t, strings.Join(said, "\n"), "kennzeichen")

	c.Model.Token = "another"
	require.ErrorContains(t, (&stepFetch{newBuild(&c, quiet())}).fetchModels(t.Context(), fetch.New(t.TempDir(), func(string) {})), "model.source: ")
}

func TestSecretsAreHiddenFromTheLog(t *testing.T) {
	var written bytes.Buffer
	packersdk.LogSecretFilter.SetOutput(&written)
	t.Cleanup(func() { packersdk.LogSecretFilter.SetOutput(os.Stderr) })
	var c Config
	_, err := c.decode(map[string]any{
		"base_image": "https://me:kennwort@example.org/a.qcow2", "base_image_checksum": someChecksum,
		"model":      map[string]any{"source": "https://me:geheim@example.org/m.gguf", "checksum": someChecksum, "token": "hf_kennzeichen"},
		"model_disk": true, "other_model": []map[string]any{{"source": "n.gguf", "checksum": someChecksum, "id": "n", "token": "hf_anderes"}},
	}, packerData())
	require.NoError(t, err)
	log.New(&packersdk.LogSecretFilter, "", 0).Print("kennwort geheim hf_kennzeichen hf_anderes seen")
	assert.Equal(t, "<sensitive> <sensitive> <sensitive> <sensitive> seen\n", written.String())
}
