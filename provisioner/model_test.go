package provisioner

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/gguftest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/files"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/model/catalogue"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/remotetest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/fetch"
)

// modelFile is where the default model is.
const modelFile = appliance.ModelsDir + "/" + appliance.ModelFile

// attach attaches a disk with the model to the machine, padded to a whole sector.
func attach(t *testing.T, m *remotetest.Machine, b *bake) string {
	content, err := os.ReadFile(b.config.Model.Source)
	require.NoError(t, err)
	disk := diskBySerial + appliance.AttachedSerial(local(t, b.config.Model.Source).SHA256)
	m.Write(disk, string(content)+"\x00\x00\x00")
	return disk
}

func TestModelIsCopiedFromItsDisk(t *testing.T) {
	m := machine(t)
	b, said := newBake(t, m)
	attach(t, m, b)
	require.NoError(t, b.runAll(t.Context()))
	want, err := os.ReadFile(b.config.Model.Source)
	require.NoError(t, err)
	assert.Equal(t, string(want), m.Read(modelFile), "not a byte more than the file has")
	info, err := os.Stat(m.Path(modelFile))
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o644), info.Mode().Perm())
	assert.NotContains(t, m.Uploads(), modelFile+".part")
	assert.Contains(t, *said, "the model devstral-small-2 is attached as virtio-"+appliance.AttachedSerial(b.payload.models[0].file.SHA256))
	assert.Regexp(t, `^copy the model devstral-small-2: 434\.6 KiB in `, (*said)[indexOf(*said, "copy the model")])
}

func indexOf(lines []string, prefix string) int {
	for i, line := range lines {
		if len(line) >= len(prefix) && line[:len(prefix)] == prefix {
			return i
		}
	}
	return -1
}

func TestModelThatCannotBeCopied(t *testing.T) {
	for name, tt := range map[string]struct {
		spoil func(m *remotetest.Machine, disk string)
		err   string
	}{
		"other bytes": {func(m *remotetest.Machine, disk string) {
			m.Write(disk, m.Read(disk)[:1000]+"x"+m.Read(disk)[1001:])
		}, "the disk of the machine or of this host lost bytes"},
		"too short": {func(m *remotetest.Machine, disk string) { m.Write(disk, m.Read(disk)[:1000]) }, "the disk of the machine or of this host lost bytes"},
		"disk full": {func(m *remotetest.Machine, _ string) {
			m.Stub("dd", "echo 'dd: error writing: No space left on device' >&2; exit 1")
		}, "the disk of the machine is full: give the source a larger disk_size"},
	} {
		t.Run(name, func(t *testing.T) {
			m := machine(t)
			b, _ := newBake(t, m)
			disk := attach(t, m, b)
			require.NoError(t, b.run(t.Context(), "install the backend"))
			tt.spoil(m, disk)
			err := b.installModels(t.Context())
			require.ErrorContains(t, err, "copy the model devstral-small-2 from /dev/disk/by-id/virtio-")
			require.ErrorContains(t, err, tt.err)
			assert.NoFileExists(t, m.Path(modelFile))
			assert.NoFileExists(t, m.Path(modelFile+".part"))
		})
	}
}

// modelMachine returns a machine with a labelled model disk; mounting it puts the file in
// place.
func modelMachine(t *testing.T, content string) *remotetest.Machine {
	m := machine(t)
	m.Write(diskByLabel+appliance.ModelDiskLabel, "")
	m.Write("/disk/model.gguf", content)
	m.Stub("systemctl", `case "$1" in
		start) mkdir -p '`+m.Path(appliance.ModelsDir)+`'; cp '`+m.Path("/disk")+`'/*.gguf '`+m.Path(appliance.ModelsDir)+`' ;;
		show) echo 0 ;; esac
		case "$2" in is-failed) exit 1 ;; esac`)
	return m
}

func TestModelStaysOnADiskOfItsOwn(t *testing.T) {
	m := modelMachine(t, "")
	b, said := newBake(t, m)
	content, err := os.ReadFile(b.config.Model.Source)
	require.NoError(t, err)
	m.Write("/disk/model.gguf", string(content))
	// The model is larger than the machine's disk.
	m.Stub("df", "echo Filesystem 1024-blocks Used Available Capacity Mounted; echo /dev/vda1 9 9 393400 1% /")
	require.NoError(t, b.runAll(t.Context()))
	assert.NotContains(t, m.Uploads(), modelFile+".part")
	assert.Contains(t, m.Read(filepath.Join(appliance.UnitDir, files.ModelMountUnit)), "Where="+m.Path(appliance.ModelsDir))
	assert.Contains(t, m.Read(appliance.UnitDir+"/local-ai.service.d/10-slm-copilot-model-disk.conf"), "RequiresMountsFor=")
	assert.Contains(t, m.Calls(), `systemctl --quiet enable opt-local\x2dai-models.mount`)
	assert.Contains(t, *said, "the weights stay on the disk labelled slm-model")
	assert.Contains(t, m.Read(appliance.BakedLock), b.payload.models[0].file.SHA256)
	assert.Contains(t, m.Read(appliance.BakedFile), `"model_disk": true`)
}

func TestModelDiskWithAnotherModel(t *testing.T) {
	m := modelMachine(t, "another")
	b, _ := newBake(t, m)
	err := b.runAll(t.Context())
	require.ErrorContains(t, err, "install the model: exit status 1")
	assert.ErrorContains(t, err, "model.gguf on the disk labelled slm-model is sha256:")
	assert.ErrorContains(t, err, "that of the provisioner is sha256:"+b.payload.models[0].file.SHA256+": give source and provisioner the same models")

	m = modelMachine(t, "")
	require.NoError(t, os.Remove(m.Path("/disk/model.gguf")))
	m.Stub("systemctl", "")
	b, _ = newBake(t, m)
	require.ErrorContains(t, b.runAll(t.Context()), "the disk labelled slm-model holds no model.gguf")
}

// What the agent would refuse is refused here, before anything is uploaded.
func TestAFileThatCannotBeServedIsNotUploaded(t *testing.T) {
	for want, file := range map[string][]byte{
		`part 1 of 2 of a model: merge them with "llama-gguf-split --merge`: gguftest.File(map[string]any{"general.architecture": "llama", "split.no": 0.0, "split.count": 2.0}, "t"),
		"part 2 of 2 of a model":   gguftest.File(map[string]any{"split.no": 1.0, "split.count": 2.0}, "t"),
		"it is an embedding model": gguftest.File(map[string]any{"general.architecture": "bert"}, "t"),
		"it is a projector":        gguftest.File(map[string]any{"general.architecture": "clip"}, "t"),
		"it contains no weights, only a vocabulary": gguftest.File(map[string]any{
			"general.architecture": "llama", "llama.block_count": 1.0, "llama.context_length": 1.0, "llama.embedding_length": 1.0,
		}),
	} {
		m := machine(t)
		b, _ := newBake(t, m)
		b.config.Model.Source = filepath.Join(t.TempDir(), "odd.gguf")
		require.NoError(t, os.WriteFile(b.config.Model.Source, file, 0o644))
		err := b.runAll(t.Context())
		require.ErrorContains(t, err, "fetch engine, backend and model: model.source: "+b.config.Model.Source)
		require.ErrorContains(t, err, want)
		assert.Empty(t, m.Uploads())
	}
}

func TestQuantizationIsReadFromTheFile(t *testing.T) {
	m := machine(t)
	b, _ := newBake(t, m)
	require.NoError(t, b.run(t.Context(), "fetch engine, backend and model"))
	assert.Equal(t, "F32", b.payload.models[0].described.Quantization)

	named := filepath.Join(t.TempDir(), "Qwen-7B-Q4_K_M.gguf")
	content, err := os.ReadFile(b.config.Model.Source)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(named, content, 0o644))
	b, _ = newBake(t, m)
	b.config.Model.Source = named
	require.NoError(t, b.run(t.Context(), "fetch engine, backend and model"))
	assert.Equal(t, "Q4_K_M", b.payload.models[0].described.Quantization)

	b, _ = newBake(t, m)
	b.config.Model.Quantization = "mine"
	require.NoError(t, b.run(t.Context(), "fetch engine, backend and model"))
	assert.Equal(t, "mine", b.payload.models[0].described.Quantization)
}

// A model is sampled as its maker recommends, which the catalogue knows by the weights or by the id.
func TestSamplingComesFromTheCatalogue(t *testing.T) {
	known, found := catalogue.ByID("qwen2.5-coder-7b")
	require.True(t, found)
	for name, test := range map[string]struct {
		id, sum string
		want    appliance.Sampling
		warning string
	}{
		"by its weights": {"mine", strings.TrimPrefix(known.Digest, "sha256:"), known.Sampling, ""},
		"by its id":      {"qwen2.5-coder-7b", strings.Repeat("0", 64), known.Sampling, ""},
		"unknown":        {"mine", strings.Repeat("0", 64), appliance.NeutralSampling(), "add internal/model/catalogue/mine.hcl (docs/models.md)"},
	} {
		t.Run(name, func(t *testing.T) {
			var said []string
			b := &bake{say: func(line string) { said = append(said, line) }}
			m := &bakedModel{modelBlock: modelBlock{fieldModel, &Model{ID: test.id}}, file: fetch.File{SHA256: test.sum}}
			assert.Equal(t, test.want, b.sampling(m))
			if test.warning == "" {
				assert.Empty(t, said)
				return
			}
			require.Len(t, said, 1)
			assert.Contains(t, said[0], "WARNING: model.id: ")
			assert.Contains(t, said[0], test.warning)
		})
	}
}

// The whole way of a model that nobody knows: it is baked, with a warning.
func TestAModelThatTheCatalogueDoesNotKnowIsBaked(t *testing.T) {
	m := machine(t)
	b, said := newBake(t, m)
	b.config.Model.ID = "mine"
	require.NoError(t, b.runAll(t.Context()))
	assert.Contains(t, m.Read(appliance.BakedFile), `"temperature": 0.8,`)
	assert.Contains(t, strings.Join(*said, "\n"), "internal/model/catalogue/mine.hcl")
}
