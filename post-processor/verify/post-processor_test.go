package verify

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/manifest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/qemuimg"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/manifesttest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/probe/acceptance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/qemuvmtest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/vm/firmware"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/vm/instance"
)

func TestMain(m *testing.M) {
	if err := instance.Available("amd64", firmware.UEFI); err != nil {
		fmt.Fprintf(os.Stderr, "%v: run make setup\n", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// bench is a directory with an image that has been built, and a temporary directory.
type bench struct {
	dist  string
	image string
	ui    *packersdk.MockUi
}

func newBench(t *testing.T, code ...[]byte) bench {
	t.Helper()
	t.Setenv("TMPDIR", t.TempDir())
	b := bench{dist: filepath.Join(t.TempDir(), "dist"), ui: new(packersdk.MockUi)}
	directory := filepath.Join(b.dist, "demo")
	require.NoError(t, os.MkdirAll(directory, 0o755))
	b.image = qemuvmtest.Image(t, directory, code...)
	manifesttest.Write(t, b.image, nil)
	return b
}

func (b bench) built() *packersdk.MockArtifact {
	return &packersdk.MockArtifact{
		BuilderIdValue: appliance.BuilderID,
		IdValue:        "sha256:1234",
		FilesValue:     []string{b.image, b.path("demo/guest.manifest.json")},
		StateValues: map[string]any{
			appliance.StateImagePath:    b.image,
			appliance.StateManifestPath: b.path("demo/guest.manifest.json"),
		},
	}
}

func (b bench) path(name string) string { return filepath.Join(b.dist, name) }

func (b bench) verify(t *testing.T, ctx context.Context, settings block) error {
	t.Helper()
	var p PostProcessor
	require.NoError(t, p.Configure(settings))
	artifact, keep, force, err := p.PostProcess(ctx, b.ui, b.built())
	assert.Nil(t, artifact)
	assert.True(t, keep && force, "the input must stay")
	left, readErr := os.ReadDir(os.TempDir())
	require.NoError(t, readErr)
	assert.Empty(t, left, "the overlay and the CONTEXT image must go")
	return err
}

// tree lists the files below dist.
func (b bench) tree(t *testing.T) []string {
	t.Helper()
	var files []string
	require.NoError(t, filepath.WalkDir(b.dist, func(path string, entry os.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			files = append(files, strings.TrimPrefix(path, b.dist+"/"))
		}
		return err
	}))
	return files
}

var (
	onlyBuilt = []string{"demo/guest.manifest.json", "demo/guest.qcow2"}
	evidence  = []string{
		"demo.unverified/guest.manifest.json", "demo.unverified/guest.qcow2", "demo.unverified/guest.verify.json",
		"demo.unverified/guest.verify.pkr.hcl", "demo.unverified/guest.verify.serial.log", "demo.unverified/guest.verify.txt",
	}
)

func TestAFailureKeepsTheEvidence(t *testing.T) {
	b := newBench(t, qemuvmtest.Greet, qemuvmtest.PowerOff, qemuvmtest.Halt)
	// What an earlier failure left must be replaced.
	require.NoError(t, os.MkdirAll(b.path("demo.unverified"), 0o755))
	require.NoError(t, os.WriteFile(b.path("demo.unverified/old.qcow2"), nil, 0o644))

	err := b.verify(t, t.Context(), block{"memory": 512})
	require.ErrorContains(t, err, "first boot: wait for the system to boot: the guest powered itself off")
	assert.ErrorContains(t, err, "are kept in "+b.path("demo.unverified")+"\nTo verify it again: packer build '"+b.path("demo.unverified/guest.verify.pkr.hcl")+"'")
	assert.ElementsMatch(t, append(append([]string(nil), onlyBuilt...), evidence...), b.tree(t))

	built, statErr := os.Stat(b.image)
	require.NoError(t, statErr)
	kept, statErr := os.Stat(b.path("demo.unverified/guest.qcow2"))
	require.NoError(t, statErr)
	assert.True(t, os.SameFile(built, kept), "a copy of an image of many gigabytes takes long")
	console, readErr := os.ReadFile(b.path("demo.unverified/guest.verify.serial.log"))
	require.NoError(t, readErr)
	assert.Contains(t, string(console), strings.TrimSpace(qemuvmtest.Greeting))
	text, readErr := os.ReadFile(b.path("demo.unverified/guest.verify.txt"))
	require.NoError(t, readErr)
	assert.Contains(t, string(text), "FAILED  guest.qcow2")
	assert.Contains(t, string(text), "the guest powered itself off")
}

// Packer does not delete files that artifice has named, so the evidence stays next to the
// image.
func TestAnImageOfArtificeStaysWhereItIs(t *testing.T) {
	b := newBench(t, qemuvmtest.Greet, qemuvmtest.PowerOff, qemuvmtest.Halt)
	var p PostProcessor
	require.NoError(t, p.Configure(block{"memory": 512}))
	input := &packersdk.MockArtifact{BuilderIdValue: "packer.post-processor.artifice", FilesValue: []string{b.image}}
	_, _, _, err := p.PostProcess(t.Context(), b.ui, input)
	require.ErrorContains(t, err, "are kept in "+b.path("demo")+"\nTo verify it again: packer build '"+b.path("demo/guest.verify.pkr.hcl")+"'")
	assert.ElementsMatch(t, append([]string{
		"demo/guest.verify.json", "demo/guest.verify.pkr.hcl", "demo/guest.verify.serial.log", "demo/guest.verify.txt",
	}, onlyBuilt...), b.tree(t))
}

func TestWhatPassesIsKeptOnce(t *testing.T) {
	b := newBench(t, qemuvmtest.Halt)
	tr := &trial{image: b.image}
	require.NoError(t, tr.keep(t.Context(), b.ui.Say, b.built()))
	require.NoError(t, os.WriteFile(serialLog(b.image), nil, 0o600))
	assert.FileExists(t, b.path("demo.unverified/guest.qcow2"))
	require.NoError(t, tr.letGo())
	assert.ElementsMatch(t, onlyBuilt, b.tree(t))
	assert.NoDirExists(t, b.path("demo.unverified"))
}

// The model image is attached to the guest, and kept after a failure.
func TestTheModelImageIsAttachedAndKept(t *testing.T) {
	b := newBench(t, qemuvmtest.PrintSecondDisk(0, 0), qemuvmtest.PowerOff, qemuvmtest.Halt)
	model := b.path("demo/model.qcow2")
	raw := filepath.Join(t.TempDir(), "raw")
	require.NoError(t, os.WriteFile(raw, append([]byte("weights\n"), make([]byte, 1<<16)...), 0o600))
	out, err := exec.Command(qemuimg.Program, "convert", "-O", qemuimg.Format, raw, model).CombinedOutput()
	require.NoError(t, err, "%s", out)
	manifesttest.Write(t, model, nil)
	input := b.built()
	input.FilesValue = append(input.FilesValue, model)
	input.StateValues[appliance.StateModelImagePath] = model

	var p PostProcessor
	require.NoError(t, p.Configure(block{"memory": 512}))
	_, _, _, err = p.PostProcess(t.Context(), b.ui, input)
	require.ErrorContains(t, err, "the guest powered itself off")
	assert.ErrorContains(t, err, "weights")
	assert.FileExists(t, b.path("demo.unverified/model.qcow2"))
	assert.Equal(t, model, newArtifact(input, b.image, []string{"x"}).State(appliance.StateModelImagePath))

	require.NoError(t, os.WriteFile(model, []byte("garbage"), 0o600))
	_, _, _, err = p.PostProcess(t.Context(), b.ui, input)
	assert.ErrorContains(t, err, "model.qcow2: not a QCOW2 image")
}

func TestABootByUEFIIsOne(t *testing.T) {
	b := newBench(t, qemuvmtest.Greet, qemuvmtest.PowerOff, qemuvmtest.Halt)
	err := b.verify(t, t.Context(), block{"memory": 512, "firmware": "uefi", "boot_timeout": "3s"})
	require.ErrorContains(t, err, "first boot, UEFI: wait for the system to boot: not ready within 3s")
}

func TestArchitectureIsTheManifests(t *testing.T) {
	assert.Equal(t, "amd64", (&trial{}).arch())
	assert.Equal(t, "amd64", (&trial{manifest: &manifest.Manifest{OSArch: "x86_64"}}).arch())
	assert.Equal(t, "arm64", (&trial{manifest: &manifest.Manifest{OSArch: "aarch64"}}).arch())
}

// Model and memory follow the manifest, and what cannot work is refused before anything boots.
func TestModelAndMemoryFollowTheManifest(t *testing.T) {
	small := manifest.Manifest{Model: manifest.Model{ModelID: "tiny", MemoryMiB: 1024, MinMemoryMiB: 768}}
	several := small
	several.OtherModels = []manifest.Model{{ModelID: "smaller", MemoryMiB: 640, MinMemoryMiB: 600}}
	choose := block{"ONEAPP_COPILOT_MODEL": "smaller"}
	for name, test := range map[string]struct {
		settings block
		manifest *manifest.Manifest
		model    string
		memory   int
		mistakes []string
	}{
		"the manifest's":       {block{}, &small, "tiny", 1024, nil},
		"the template's":       {block{"model_id": "tiny", "memory": 768}, &small, "tiny", 768, nil},
		"of no known model":    {block{"memory": 512}, &manifest.Manifest{}, appliance.ModelID, 512, nil},
		"without a manifest":   {block{"memory": 512, "model_id": "x"}, nil, "x", 512, nil},
		"what cannot work":     {block{"model_id": "other", "memory": 512}, &small, "other", 512, []string{"model_id: other, but by its manifest the image serves tiny", "memory: 512 MiB are too few for the model to start, by the manifest of the image it needs 768"}},
		"the context's":        {block{"context": choose}, &several, "smaller", 640, nil},
		"the context's, twice": {block{"context": choose, "model_id": "smaller"}, &several, "smaller", 640, nil},
		"another than chosen":  {block{"context": choose, "model_id": "tiny", "memory": 512}, &several, "tiny", 512, []string{"model_id: tiny, but by its manifest the image serves smaller", "it needs 600"}},
		"not in the image":     {block{"context": choose}, &small, "", 0, []string{`context: ONEAPP_COPILOT_MODEL: the image does not contain "smaller". It contains: tiny`}},
		"chosen blindly":       {block{"context": choose, "memory": 512}, nil, "smaller", 512, nil},
		"more than this host":  {block{"memory": 16 << 20}, &small, "tiny", 16 << 20, []string{"memory: the machine wants 16777216 MiB, this host has "}},
		"the default, unknown": {block{"memory": 0, "accelerator": "tcg"}, &manifest.Manifest{Model: manifest.Model{MemoryMiB: 16 << 20}}, appliance.ModelID, 16 << 20, []string{"memory: the machine wants"}},
	} {
		t.Run(name, func(t *testing.T) {
			var p PostProcessor
			require.NoError(t, p.Configure(test.settings))
			tr := &trial{manifest: test.manifest}
			err := (&stepPreflight{config: &p.config, trial: tr}).settle()
			assert.Equal(t, test.model, tr.model)
			assert.Equal(t, test.memory, tr.memoryMiB)
			if test.mistakes == nil {
				require.NoError(t, err)
			}
			for _, mistake := range test.mistakes {
				assert.ErrorContains(t, err, mistake)
			}
		})
	}
}

// What proves an image, or speaks against it, is in its manifest, for whoever publishes it.
func TestTheManifestRecordsTheTrial(t *testing.T) {
	b := newBench(t, qemuvmtest.Greet, qemuvmtest.PowerOff, qemuvmtest.Halt)
	require.Error(t, b.verify(t, t.Context(), block{"memory": 512}))
	for _, name := range []string{"demo/guest.manifest.json", "demo.unverified/guest.manifest.json"} {
		failed, err := manifest.Read(b.path(name))
		require.NoError(t, err)
		assert.ErrorContains(t, failed.Proven(""), "it failed when it was verified", name)
	}

	passed := acceptance.Report{Boots: []acceptance.Boot{{Results: []acceptance.Result{{Passed: true}, {Passed: true}}}}}
	built := manifesttest.Write(t, b.image, manifesttest.Verified)
	tr := &trial{manifest: &built, modelSHA256: strings.Repeat("a", 64), report: passed}
	require.NoError(t, tr.record(b.image))
	proven, err := manifest.Read(b.path("demo/guest.manifest.json"))
	require.NoError(t, err)
	assert.Equal(t, acceptance.Suite, proven.Verified.Suite)
	assert.Equal(t, built.SHA256, proven.Verified.SHA256)
	assert.Equal(t, 2, proven.Verified.Checks)
	require.NoError(t, proven.Proven(strings.Repeat("a", 64)))
	assert.ErrorContains(t, proven.Proven(""), "it was verified with the model disk SHA-256 aaaa")
}

// What boots is what the manifest describes, and nothing that refers to other files.
func TestWhatIsNotTheImageOfTheManifestDoesNotBoot(t *testing.T) {
	for name, test := range map[string]struct {
		breakIt func(t *testing.T, b bench)
		want    string
	}{
		"an overlay": {func(t *testing.T, b bench) {
			base := b.image + ".base"
			require.NoError(t, os.Rename(b.image, base))
			require.NoError(t, qemuimg.CreateOverlay(t.Context(), base, b.image))
		}, "it is only an overlay of"},
		"another build": {func(t *testing.T, b bench) {
			qemuvmtest.Image(t, filepath.Dir(b.image), qemuvmtest.Greet)
		}, "is not the one its manifest describes"},
		"a damaged manifest": {func(t *testing.T, b bench) {
			require.NoError(t, os.WriteFile(manifest.Path(b.image), []byte("{}"), 0o600))
		}, "read manifest"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, qemuvmtest.Halt)
			test.breakIt(t, b)
			assert.ErrorContains(t, b.verify(t, t.Context(), block{"memory": 512}), test.want)
			assert.Empty(t, b.console(t))
		})
	}
}

// console is what a machine has written, empty if none has run.
func (b bench) console(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(b.path("demo.unverified/guest.verify.serial.log"))
	if !os.IsNotExist(err) {
		require.NoError(t, err)
	}
	return string(text)
}

func TestAnImageThatNeverGetsReadyFails(t *testing.T) {
	b := newBench(t, qemuvmtest.Halt)
	err := b.verify(t, t.Context(), block{"memory": 512, "boot_timeout": "100ms"})
	require.ErrorContains(t, err, "first boot: wait for the system to boot: not ready within 100ms")
	assert.Subset(t, b.tree(t), evidence)
}

// said is a Ui that runs a function for every line.
type said struct {
	packersdk.Ui
	act func(line string)
}

func (s said) Say(line string) { s.act(line) }

func TestAnInterruptionLeavesNothing(t *testing.T) {
	b := newBench(t, qemuvmtest.Greet, qemuvmtest.Halt)
	ctx, cancel := context.WithCancel(t.Context())
	var p PostProcessor
	require.NoError(t, p.Configure(block{"memory": 512}))
	ui := said{b.ui, func(line string) {
		// The first such line is printed when the guest has been powered on.
		if strings.HasPrefix(line, "waiting for the system to boot") {
			assert.FileExists(t, b.path("demo.unverified/guest.qcow2"), "a plugin that is killed now costs no image")
			cancel()
		}
	}}
	_, _, _, err := p.PostProcess(ctx, ui, b.built())
	require.ErrorIs(t, err, context.Canceled)
	assert.ErrorContains(t, err, "verifying was interrupted")
	assert.ElementsMatch(t, onlyBuilt, b.tree(t))
	left, err := os.ReadDir(os.TempDir())
	require.NoError(t, err)
	assert.Empty(t, left)
}

func TestEveryMissingProgramIsNamedAndTheImageKept(t *testing.T) {
	b := newBench(t, qemuvmtest.Halt)
	t.Setenv("PATH", t.TempDir())
	err := b.verify(t, t.Context(), block{})
	for _, program := range []string{"qemu-system-x86_64", "qemu-img", "xorriso"} {
		assert.ErrorContains(t, err, program+" is not installed")
	}
	assert.Contains(t, b.tree(t), "demo.unverified/guest.qcow2")
}

// Programs are tried before the first boot.
func TestAProgramThatFailsIsNamedAndTheImageKept(t *testing.T) {
	b := newBench(t, qemuvmtest.Halt)
	programs := t.TempDir()
	script := "#!/bin/sh\ntest \"$1\" != --version || { echo qemu-img version 1.0; exit; }\ncase \"$*\" in *zstd*) echo no zstd >&2; exit 1 ;; esac\nexec /usr/bin/qemu-img \"$@\"\n"
	require.NoError(t, os.WriteFile(filepath.Join(programs, "qemu-img"), []byte(script), 0o755))
	t.Setenv("PATH", programs+":"+os.Getenv("PATH"))
	err := b.verify(t, t.Context(), block{"memory": 512, "boot_timeout": "100ms"})
	require.ErrorContains(t, err, "verifying needs programs of this host:\npacking a disk into a QCOW2 image with zstd and unpacking it fails on this host: ")
	require.ErrorContains(t, err, "no zstd\n  with qemu-img version 1.0; install another version of the package qemu-utils (Debian, Ubuntu) or qemu-img (Fedora)")
	assert.Contains(t, b.tree(t), "demo.unverified/guest.qcow2")
}

func TestWhatIsNoImageIsRefused(t *testing.T) {
	b := newBench(t, qemuvmtest.Halt)
	require.NoError(t, os.WriteFile(b.image, []byte("garbage"), 0o644))
	assert.ErrorContains(t, b.verify(t, t.Context(), block{"memory": 512}), "not a QCOW2 image")
	require.NoError(t, os.Remove(b.image))
	assert.ErrorContains(t, b.verify(t, t.Context(), block{}), "no such file or directory")
}

func TestAChangedImageIsNotProven(t *testing.T) {
	b := newBench(t, qemuvmtest.Halt)
	before, err := os.Stat(b.image)
	require.NoError(t, err)
	tr := &trial{image: b.image, before: before}
	require.NoError(t, tr.checkUntouched())

	require.NoError(t, os.Chtimes(b.image, before.ModTime(), before.ModTime().Add(1)))
	assert.ErrorContains(t, tr.checkUntouched(), "was changed by another program during its trial")
	require.NoError(t, os.Remove(b.image))
	assert.ErrorContains(t, tr.checkUntouched(), "the image is gone after its trial")
}

func TestTheArtifactIsTheImageWithItsReports(t *testing.T) {
	b := newBench(t, qemuvmtest.Halt)
	reports, err := writeReports(b.image, acceptance.Report{})
	require.NoError(t, err)
	assert.Equal(t, []string{b.path("demo/guest.verify.txt"), b.path("demo/guest.verify.json")}, reports)
	a := newArtifact(b.built(), b.image, reports)

	assert.Equal(t, appliance.VerifyBuilderID, a.BuilderId())
	assert.Equal(t, "sha256:1234", a.Id())
	assert.Equal(t, append(b.built().FilesValue, reports...), a.Files())
	assert.Equal(t, b.image, a.State(appliance.StateImagePath))
	assert.Equal(t, b.path("demo/guest.manifest.json"), a.State(appliance.StateManifestPath))
	assert.Equal(t, b.path("demo/guest.verify.json"), a.State(appliance.StateVerifyReportPath))
	assert.Nil(t, a.State("anything else"))
	assert.Contains(t, a.String(), "guest.qcow2, verified")

	require.NoError(t, a.Destroy())
	require.NoError(t, a.Destroy(), "a second time")
	assert.ElementsMatch(t, onlyBuilt, b.tree(t))
}
