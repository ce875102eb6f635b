package provisioner

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/packer-plugin-sdk/hcl2helper"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/model/catalogue"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/model/gguf"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/remotetest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/lockfile"
)

// anotherModel writes a tiny model and returns its path.
func anotherModel(t *testing.T, name string) string {
	var weights bytes.Buffer
	require.NoError(t, gguf.Write(&weights, gguf.Tiny(name)))
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, weights.Bytes(), 0o644))
	return path
}

// withOthers adds two models to a bake: one of the catalogue, and one that nobody knows.
func withOthers(t *testing.T, b *bake) {
	b.config.OtherModels = []Model{
		{ID: "qwen2.5-coder-7b", Source: anotherModel(t, "Qwen-Q4_K_M.gguf"), Checksum: "none", License: "Apache-2.0", Name: "Qwen2.5-Coder 7B"},
		{ID: "mine", Source: anotherModel(t, "mine.gguf"), Checksum: "none", License: "LicenseRef-Acme", Name: "Mine", Quantization: "none at all"},
	}
}

func TestSeveralModelsAreBaked(t *testing.T) {
	for _, isAttached := range []bool{false, true} {
		m := machine(t)
		b, said := newBake(t, m)
		withOthers(t, b)
		if isAttached {
			attach(t, m, b)
		}
		require.NoError(t, b.runAll(t.Context()))

		var baked appliance.Baked
		require.NoError(t, json.Unmarshal([]byte(m.Read(appliance.BakedFile)), &baked))
		assert.Equal(t, []string{"devstral-small-2", "qwen2.5-coder-7b", "mine"}, baked.ModelIDs())
		qwen, _ := catalogue.ByID("qwen2.5-coder-7b")
		assert.Equal(t, []appliance.BakedModel{
			{
				ModelID: "qwen2.5-coder-7b", ModelName: "Qwen2.5-Coder 7B", Quantization: "Q4_K_M", File: "qwen2.5-coder-7b.gguf",
				Sampling: qwen.Sampling, MemoryMiB: 1024, MinMemoryMiB: 611,
			},
			{
				ModelID: "mine", ModelName: "Mine", Quantization: "none at all", File: "mine.gguf",
				Sampling: appliance.NeutralSampling(), MemoryMiB: 1024, MinMemoryMiB: 611,
			},
		}, baked.Others)
		lock, err := lockfile.Read(m.Path(appliance.BakedLock))
		require.NoError(t, err)
		for _, is := range b.payload.models {
			content, err := os.ReadFile(is.Source)
			require.NoError(t, err)
			assert.Equal(t, string(content), m.Read(is.described.WeightsFile()), is.ID)
			info, err := os.Stat(m.Path(is.described.WeightsFile()))
			require.NoError(t, err)
			assert.Equal(t, os.FileMode(0o644), info.Mode().Perm())
			input, found := lock.FindModel("", "", is.ID)
			require.True(t, found)
			assert.Equal(t, "sha256:"+is.file.SHA256, input.Digest)
			assert.Equal(t, is.License, input.License)
			assert.Contains(t, m.Read(appliance.BakedSBOM), is.file.SHA256)
			assert.Contains(t, m.Read(appliance.BakedLicenses), is.ID+" ("+is.License+")")
		}
		lines := strings.Join(*said, "\n")
		assert.Contains(t, lines, "no disk with the model qwen2.5-coder-7b is attached: its 434.6 KiB go through the connection")
		assert.Equal(t, isAttached, !strings.Contains(lines, "no disk with the model devstral-small-2"))
		assert.Contains(t, lines, "WARNING: other_model[1].license: the image will not have the text of LicenseRef-Acme")
		assert.Contains(t, lines, "WARNING: other_model[1].id: the catalogue of models has neither mine nor these weights")
		assert.NotContains(t, lines, "WARNING: other_model[0]")
	}
}

func TestOtherModelThatCannotBeServed(t *testing.T) {
	m := machine(t)
	b, _ := newBake(t, m)
	withOthers(t, b)
	require.NoError(t, os.WriteFile(b.config.OtherModels[1].Source, []byte("<html>sign in</html>"), 0o644))
	require.ErrorContains(t, b.runAll(t.Context()), "fetch engine, backend and model: other_model[1].source: ")
	assert.Empty(t, m.Uploads(), "nothing is changed on the machine")
}

func TestOtherModelsTakeSpace(t *testing.T) {
	b, _ := newBake(t, machine(t))
	require.NoError(t, b.run(t.Context(), "fetch engine, backend and model"))
	one := b.space()
	b, _ = newBake(t, machine(t))
	withOthers(t, b)
	require.NoError(t, b.run(t.Context(), "fetch engine, backend and model"))
	weights := b.payload.models[1].file.Size + b.payload.models[2].file.Size
	assert.InDelta(t, one+weights*11/10, b.space(), 2)
	b.way = modelDisk
	assert.Less(t, b.space(), one)
}

// onDisk puts the models of a bake on the model disk of a machine, of which mount is what mounts it.
func onDisk(t *testing.T, b *bake) (m *remotetest.Machine, disk func(name string) string) {
	m = modelMachine(t, "")
	names := []string{"model.gguf", "qwen2.5-coder-7b.gguf", "mine.gguf"}
	for i, block := range b.config.models() {
		content, err := os.ReadFile(block.Source)
		require.NoError(t, err)
		m.Write("/disk/"+names[i], string(content))
	}
	return m, func(name string) string { return m.Path("/disk/" + name) }
}

func TestSeveralModelsOnADiskOfTheirOwn(t *testing.T) {
	const advice = ": give source and provisioner the same models, in their blocks model and other_model"
	for name, tt := range map[string]struct {
		spoil func(t *testing.T, disk func(string) string)
		err   string
	}{
		"all": {func(*testing.T, func(string) string) {}, ""},
		"one is missing": {func(t *testing.T, disk func(string) string) { require.NoError(t, os.Remove(disk("mine.gguf"))) },
			"the disk labelled slm-model holds no mine.gguf" + advice},
		"one is another": {func(t *testing.T, disk func(string) string) {
			require.NoError(t, os.WriteFile(disk("qwen2.5-coder-7b.gguf"), []byte("x"), 0o644))
		}, "qwen2.5-coder-7b.gguf on the disk labelled slm-model is sha256:"},
		"one too many": {func(t *testing.T, disk func(string) string) {
			require.NoError(t, os.WriteFile(disk("more.gguf"), nil, 0o644))
		}, "the disk labelled slm-model holds 4 models, the provisioner has 3" + advice},
	} {
		t.Run(name, func(t *testing.T) {
			first, _ := newBake(t, machine(t))
			withOthers(t, first)
			m, disk := onDisk(t, first)
			b, _ := newBake(t, m)
			b.config = first.config
			tt.spoil(t, disk)
			err := b.runAll(t.Context())
			if tt.err != "" {
				require.ErrorContains(t, err, "install the model: ")
				require.ErrorContains(t, err, tt.err)
				return
			}
			require.NoError(t, err)
			assert.NotContains(t, strings.Join(m.Uploads(), "\n"), ".gguf")
			assert.Contains(t, m.Read(appliance.BakedFile), `"file": "mine.gguf"`)
		})
	}
}

func severalLock(t *testing.T) string {
	lock := fullLock()
	lock.Put(lockfile.Input{Kind: lockfile.KindModel, Name: "qwen2.5-coder-7b", Source: "https://example.org/7b.gguf", Digest: otherDigest, Size: 29, License: "Apache-2.0"})
	return writeLock(t, lock)
}

func TestOtherModelsComeFromTheLock(t *testing.T) {
	for name, other := range map[string]block{
		"by id": {"id": "qwen2.5-coder-7b"}, "by source": {"source": "https://example.org/7b.gguf"},
	} {
		t.Run(name, func(t *testing.T) {
			var p Provisioner
			require.NoError(t, p.Prepare(block{"lock_file": severalLock(t), "model": block{"id": "qwen"}, "other_model": []block{other}}))
			assert.Equal(t, "qwen", p.config.Model.ID)
			is := p.config.OtherModels[0]
			assert.Equal(t, []string{"qwen2.5-coder-7b", "Qwen2.5-Coder 7B", "Apache-2.0"}, []string{is.ID, is.Name, is.License})
			all, err := p.config.pinAll("amd64")
			require.NoError(t, err)
			assert.Equal(t, otherDigest, all["other_model[0]"].input.Digest)
			assert.Equal(t, lockedModel, all[fieldModel].input.Source)
		})
	}
}

func TestOtherModelMistakes(t *testing.T) {
	for name, tt := range map[string]struct {
		model  block
		others []block
		errs   []string
	}{
		"which is the default is not said": {block{}, []block{{"id": "qwen2.5-coder-7b"}}, []string{"model.source: must be set: "}},
		"not in the lock": {block{"id": "gwen"}, []block{{"id": "gwen2"}, {}}, []string{
			`does not name "gwen"`, `other_model[0].source: must be set: `, `does not name "gwen2"`, "other_model[1].source: must be set: ",
		}},
		"the same model twice": {block{"id": "qwen"}, []block{{"id": "qwen"}}, []string{
			`other_model[0].id: must differ from model.id, got "qwen"`, `other_model[0].source: must differ from model.source, got "` + lockedModel + `"`,
		}},
		"everything at once": {block{"source": "a/model.gguf", "checksum": "none", "id": "a"}, []block{
			{"source": "b/model.gguf", "checksum": "none", "id": "b"},
			{"source": "c.gguf", "checksum": "none", "id": "model"},
			{"source": "d.gguf", "checksum": "none", "id": "a/b"},
			{"source": "e.gguf", "checksum": "none"},
			{"source": "f.gguf", "id": "f"},
			{"source": "g.gguf", "checksum": "none", "id": "g", "name": "\n", "license": "free?"},
		}, []string{
			`other_model[0].source: must differ from model.source, got "model.gguf"`,
			`other_model[1].id: must not be "model": the default model has this file name`,
			"other_model[2].id: must be the id of a model", "other_model[3].id: must be the id of a model",
			"other_model[4]: f.gguf is not pinned", "other_model[5].name: must be", "other_model[5].license: ",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			err := new(Provisioner).Prepare(block{"lock_file": severalLock(t), "model": tt.model, "other_model": tt.others})
			require.Error(t, err)
			for _, mistake := range tt.errs {
				assert.ErrorContains(t, err, mistake)
			}
			assert.NotContains(t, err.Error(), `got "."`)
		})
	}
	unknown := hcl2helper.UnknownVariableValue
	require.NoError(t, new(Provisioner).Prepare(block{"lock_file": severalLock(t), "model": block{"id": "qwen"}, "other_model": []block{
		{"source": unknown, "checksum": unknown, "id": unknown, "token": unknown}, {"id": unknown}, {"source": unknown, "checksum": goodDigest}, {"id": "qwen2.5-coder-7b"},
	}}), "unknown values are not judged")
	err := new(Provisioner).Prepare(block{"lock_file": "none.hcl", "other_model": []block{{"source": "x.gguf", "checksum": "none"}, {"id": "y"}}})
	require.ErrorContains(t, err, "lock_file: ")
	assert.Equal(t, 1, strings.Count(err.Error(), "* "), err)
}
