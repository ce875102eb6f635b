package builder

import (
	"crypto/rand"
	"path/filepath"
	"time"

	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/manifest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/fetch"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/lockfile"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/vm/accelerator"
)

// build is what the steps of one run share.
type build struct {
	config *Config
	ui     packersdk.Ui
	// id tells this run from all others.
	id      string
	started time.Time
	// accelerator is accelerator.KVM or accelerator.TCG, warning why it is the slow one.
	accelerator string
	warning     string
	// base is the base image on this host, weights the model (or nothing).
	base      string
	baseInput lockfile.Input
	// modelInput is what weights are.
	weights    fetch.File
	modelInput lockfile.Input
	// guest is what the running machine says about itself, baked what it says it holds.
	guest guest
	baked baked
	// manifest describes the finished image, modelManifest that of the model disk.
	manifest      manifest.Manifest
	modelManifest manifest.Manifest
	sayInterval   time.Duration
	// kept is true once the files of a failed build are to stay.
	kept bool
	// published is true once the output directory is in its place.
	published bool
}

func newBuild(config *Config, ui packersdk.Ui) *build {
	b := &build{config: config, ui: ui, id: rand.Text(), started: time.Now(), sayInterval: sayInterval}
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

// pidFile is QEMU's. It is gone when QEMU is, unless QEMU was killed.
func (b *build) pidFile() string {
	return filepath.Join(b.config.partialDirectory(), pidFileName)
}

// beside is the path of a file that goes with the image.
func (b *build) beside(suffix string) string {
	return filepath.Join(b.config.partialDirectory(), b.config.baseName()+suffix)
}

// modelImageFile is named for the weights: an update of the software leaves them alone.
func (b *build) modelImageFile() string {
	return b.config.ImageName + "-model-" + b.weights.SHA256[:12] + ".qcow2"
}

func (b *build) modelImage() string {
	return filepath.Join(b.config.partialDirectory(), b.modelImageFile())
}

// publishedPath is where a file of the build lies in the end.
func (b *build) publishedPath(path string) string {
	return filepath.Join(b.config.OutputDirectory, filepath.Base(path))
}
