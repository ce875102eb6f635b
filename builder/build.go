package builder

import (
	"crypto/rand"
	"path/filepath"
	"time"

	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/manifest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/modeldisk"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/fetch"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/lockfile"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/vm/accelerator"
)

// build is what the steps of one run share.
type build struct {
	config *Config
	ui     packersdk.Ui
	// id is unique to this run.
	id      string
	started time.Time
	// accelerator is accelerator.KVM or accelerator.TCG; warning explains why it is the
	// slow TCG, or is empty.
	accelerator string
	warning     string
	// base is the path of the base image on this host; weights is the model of the block "model", or
	// zero without one.
	base      string
	baseInput lockfile.Input
	// memoryMiB is what the machine gets, 0 as long as it depends on weights that are not
	// there yet.
	memoryMiB int
	// modelInput describes weights for the provenance.
	weights    fetch.File
	modelInput lockfile.Input
	// others are the further models of the model disk.
	others []otherModel
	// guest is the operating system of the running machine; baked is what the provisioner
	// recorded.
	guest guest
	baked baked
	// manifest describes the finished image; modelManifest describes the model disk.
	manifest      manifest.Manifest
	modelManifest manifest.Manifest
	sayInterval   time.Duration
	// kept is set when the files of a failed build must not be removed.
	kept bool
	// published is set when the output directory has its final name.
	published bool
}

func newBuild(config *Config, ui packersdk.Ui) *build {
	b := &build{config: config, ui: ui, id: rand.Text(), started: time.Now(), sayInterval: sayInterval, memoryMiB: config.Memory}
	if config.Model == nil && b.memoryMiB == 0 {
		b.memoryMiB = defaultMemory
	}
	b.accelerator, b.warning = accelerator.Settle(config.Accelerator, config.goArch())
	return b
}

// The files of a build before it is published.

func (b *build) machineDirectory() string {
	return filepath.Join(b.config.partialDirectory(), "machine")
}

func (b *build) machineDisk() string {
	return filepath.Join(b.machineDirectory(), b.config.imageFile())
}

func (b *build) serialLog() string {
	return filepath.Join(b.config.partialDirectory(), b.config.serialLogFile())
}

func (b *build) image() string {
	return filepath.Join(b.config.partialDirectory(), b.config.imageFile())
}

// pidFile is written by QEMU, which removes it on exit unless it is killed.
func (b *build) pidFile() string {
	return filepath.Join(b.config.partialDirectory(), pidFileName)
}

// beside returns the path of a file that is published next to the image.
func (b *build) beside(suffix string) string {
	return filepath.Join(b.config.partialDirectory(), b.config.baseName()+suffix)
}

// otherModel is a model that only a model disk has.
type otherModel struct {
	weights modeldisk.Weights
	input   lockfile.Input
}

// diskContent is what a model disk holds.
func (b *build) diskContent() []modeldisk.Weights {
	content := []modeldisk.Weights{onDisk(appliance.ModelFile, b.weights)}
	for _, other := range b.others {
		content = append(content, other.weights)
	}
	return content
}

func onDisk(name string, file fetch.File) modeldisk.Weights {
	return modeldisk.Weights{Name: name, Path: file.Path, SHA256: file.SHA256, Size: file.Size}
}

// modelDiskVersion is of the content, so that a new version of the software does not rename the model
// disk.
func (b *build) modelDiskVersion() string { return modeldisk.Content(b.diskContent())[:12] }

func (b *build) modelImageFile() string {
	return b.config.ImageName + "-model-" + b.modelDiskVersion() + ".qcow2"
}

func (b *build) modelImage() string {
	return filepath.Join(b.config.partialDirectory(), b.modelImageFile())
}

// publishedPath returns the final path of a file of the build.
func (b *build) publishedPath(path string) string {
	return filepath.Join(b.config.OutputDirectory, filepath.Base(path))
}
