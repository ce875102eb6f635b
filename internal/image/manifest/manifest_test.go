package manifest

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/goldentest"
)

func example() Manifest {
	return Manifest{
		Name: "slm-copilot", Version: "1.0.0",
		Image: "slm-copilot-1.0.0-x86_64.qcow2", Format: "qcow2",
		Size: 40 << 30, FileSize: 15354000000,
		MD5:          "d41d8cd98f00b204e9800998ecf8427e",
		SHA1:         "da39a3ee5e6b4b0d3255bfef95601890afd80709",
		SHA256:       "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		CreationTime: 1795300000,
		OSID:         "ubuntu", OSRelease: "24.04", OSArch: "x86_64",
	}
}

func TestWriteIsGoldenAndReadsBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "image.manifest.json")
	require.NoError(t, Write(path, example()))
	got, err := os.ReadFile(path)
	require.NoError(t, err)
	golden := filepath.Join("testdata", "example.manifest.json")
	goldentest.Equal(t, golden, got)

	m, err := Read(path)
	require.NoError(t, err)
	assert.Equal(t, example(), m)
}

func TestPath(t *testing.T) {
	assert.Equal(t, "dist/a/slm-copilot-1.0.0-x86_64.manifest.json", Path("dist/a/slm-copilot-1.0.0-x86_64.qcow2"))
}

func TestReadListsEveryMistake(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bad.manifest.json")
	require.NoError(t, os.WriteFile(path, []byte(`{
		"name": "a/b", "version": "", "image": "../x.qcow2", "format": "raw", "size": 0, "file_size": -1,
		"md5": "D41D8CD98F00B204E9800998ECF8427E", "sha1": "12", "sha256": "",
		"creation_time": 0, "os_id": "", "os_release": "24 04", "os_arch": "x86_64\n"}`), 0o600))
	_, err := Read(path)
	require.Error(t, err)
	for _, field := range []string{
		"name", "version", "image", "format", "size", "file_size", "md5", "sha1", "sha256",
		"creation_time", "os_id", "os_release", "os_arch",
	} {
		assert.Regexp(t, `(?m)(^|: )`+field+`: must`, err.Error())
	}
	assert.Contains(t, err.Error(), path)
}

func TestWhatTheImageHoldsIsToldIfItIsKnown(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.json")
	m := example()
	m.BuildID, m.MemoryMiB = "3XGOHVTP2WBLB2RS4LC3XZPGXE", 32768
	m.ModelID, m.ModelName, m.ModelLicense, m.ModelSHA256 = "devstral-small-2", "Devstral Small 2", "Apache-2.0", strings.Repeat("a", 64)
	require.NoError(t, Write(path, m))
	got, err := Read(path)
	require.NoError(t, err)
	assert.Equal(t, m, got)

	m.BuildID, m.ModelID, m.ModelName, m.ModelLicense, m.ModelSHA256, m.MemoryMiB = "a\n", "b\t", "c\x7f", "d\r", "e", -1
	err = Write(path, m)
	for _, field := range []string{"build_id", "model_id", "model_name", "model_license", "model_sha256", "memory_mib"} {
		assert.ErrorContains(t, err, field+": must")
	}
}

func TestSeveralModels(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.json")
	m := example()
	assert.Empty(t, m.ModelIDs())
	m.Model = Model{ModelID: "large", ModelSHA256: strings.Repeat("a", 64), MemoryMiB: 32768}
	assert.Equal(t, []string{"large"}, m.ModelIDs(), "a manifest of an image with one model, as it always was")
	m.OtherModels = []Model{{ModelID: "small", ModelName: "Small", ModelLicense: "MIT", ModelSHA256: strings.Repeat("b", 64), MemoryMiB: 4096, MinMemoryMiB: 2048}}
	require.NoError(t, Write(path, m))
	got, err := Read(path)
	require.NoError(t, err)
	assert.Equal(t, m, got)
	assert.Equal(t, []string{"large", "small"}, got.ModelIDs())
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	goldentest.Equal(t, filepath.Join("testdata", "several.manifest.json"), text)

	for id, want := range map[string]Model{"": m.Model, "large": m.Model, "small": m.OtherModels[0]} {
		served, err := m.Serving(id)
		require.NoError(t, err)
		assert.Equal(t, want, served, id)
	}
	_, err = m.Serving("tiny")
	assert.EqualError(t, err, `ONEAPP_COPILOT_MODEL: the image does not contain "tiny". It contains: large, small`)
	served, err := example().Serving("tiny")
	require.NoError(t, err)
	assert.Equal(t, Model{ModelID: "tiny"}, served, "a manifest that names no model")

	m.OtherModels = append(m.OtherModels, Model{ModelID: "a,b", ModelSHA256: "e", MinMemoryMiB: -1})
	err = Write(path, m)
	for _, field := range []string{"model_id", "model_sha256", "min_memory_mib"} {
		assert.ErrorContains(t, err, "other_models[1]."+field+": must")
	}
	assert.NotContains(t, err.Error(), "other_models[0]")
}

func TestADiskWithoutASystem(t *testing.T) {
	path := filepath.Join(t.TempDir(), "model.json")
	m := example()
	m.OSID, m.OSRelease, m.OSArch = "", "", ""
	require.NoError(t, Write(path, m))
	got, err := Read(path)
	require.NoError(t, err)
	assert.Equal(t, m, got)
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.NotContains(t, string(text), "os_")

	m.OSArch = "x86_64"
	assert.ErrorContains(t, Write(path, m), "os_id: must be one word", "half a system is none")
}

func TestReadIsStrict(t *testing.T) {
	good, err := json.Marshal(example())
	require.NoError(t, err)
	tests := map[string]struct{ content, want string }{
		"empty":            {"", "it is not a manifest"},
		"no object":        {"[]", "it is not a manifest"},
		"cut short":        {string(good[:len(good)/2]), "it is not a manifest"},
		"an unknown field": {strings.Replace(string(good), `"md5"`, `"md6"`, 1), `unknown field "md6"`},
		"wrong type":       {strings.Replace(string(good), `"format":"qcow2"`, `"format":7`, 1), "Manifest.format"},
		"trailing data":    {string(good) + "{}", "something follows"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "m.json")
			require.NoError(t, os.WriteFile(path, []byte(test.content), 0o600))
			_, err := Read(path)
			assert.ErrorContains(t, err, test.want)
		})
	}
}

func TestReadOfAMissingFile(t *testing.T) {
	_, err := Read(filepath.Join(t.TempDir(), "none.json"))
	assert.ErrorIs(t, err, os.ErrNotExist)
}

func TestWriteRefusesMistakesAndLeavesNothing(t *testing.T) {
	directory := t.TempDir()
	m := example()
	m.SHA256 = ""
	assert.ErrorContains(t, Write(filepath.Join(directory, "m.json"), m), "sha256: must be 64")
	// A directory in the way makes the last step fail.
	require.NoError(t, os.MkdirAll(filepath.Join(directory, "taken.json", "x"), 0o755))
	assert.Error(t, Write(filepath.Join(directory, "taken.json"), example()))

	left, err := os.ReadDir(directory)
	require.NoError(t, err)
	assert.Len(t, left, 1, "only the directory made by this test is left")
}

// Whatever is accepted is written back and read again as the same.
func FuzzParse(f *testing.F) {
	good, err := json.Marshal(example())
	require.NoError(f, err)
	f.Add(good)
	f.Add([]byte(`{"image":".."}`))
	f.Fuzz(func(t *testing.T, content []byte) {
		m, err := parse(content)
		if err != nil {
			return
		}
		path := filepath.Join(t.TempDir(), "m.json")
		require.NoError(t, Write(path, m))
		again, err := Read(path)
		require.NoError(t, err)
		assert.Equal(t, m, again)
	})
}

func TestAModelDiskIsMissed(t *testing.T) {
	m := example()
	require.NoError(t, CheckDisks(m, false))
	m.ModelDisk = true
	require.NoError(t, CheckDisks(m, true))
	assert.ErrorContains(t, CheckDisks(m, false), "slm-copilot-1.0.0-x86_64.qcow2 is a system whose model is on a disk of its own, and that disk is not among the files")
}

func TestProven(t *testing.T) {
	passed := func(change func(*Verification)) Manifest {
		m := example()
		m.Verified = &Verification{Suite: 1, SHA256: m.SHA256, Time: 1, Passed: true, Boots: 1, Checks: 1}
		if change != nil {
			change(m.Verified)
		}
		return m
	}
	disk := strings.Repeat("d", 64)
	for name, test := range map[string]struct {
		m         Manifest
		modelDisk string
		want      string
	}{
		"passed":                 {passed(nil), "", ""},
		"with its model disk":    {passed(func(v *Verification) { v.ModelDiskSHA256 = disk }), disk, ""},
		"never":                  {example(), "", "it was never verified"},
		"failed":                 {passed(func(v *Verification) { v.Passed = false }), "", "it failed"},
		"another build":          {passed(func(v *Verification) { v.SHA256 = disk }), "", "another build of it was verified"},
		"without its model disk": {passed(nil), disk, "it was verified with the model disk (none), and is now with SHA-256 " + disk},
	} {
		t.Run(name, func(t *testing.T) {
			err := test.m.Proven(test.modelDisk)
			if test.want == "" {
				require.NoError(t, err)
			} else {
				assert.ErrorContains(t, err, test.want)
			}
			path := filepath.Join(t.TempDir(), "m.json")
			require.NoError(t, Write(path, test.m))
			read, err := Read(path)
			require.NoError(t, err)
			assert.Equal(t, test.m, read)
		})
	}
	bad := passed(func(v *Verification) { *v = Verification{Passed: true, ModelDiskSHA256: "x"} })
	for _, field := range []string{"suite", "sha256", "model_disk_sha256", "time", "boots", "checks"} {
		assert.ErrorContains(t, bad.validate(), "verified."+field+": must", field)
	}
}
