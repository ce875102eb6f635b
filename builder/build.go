package builder

import (
	"path/filepath"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/accelerator"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/fetch"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/manifest"
)

// build is what the steps of one run share.
type build struct {
	config *Config
	// accelerator is accelerator.KVM or accelerator.TCG, warning why it is the slow one.
	accelerator string
	warning     string
	// guest is what the running machine says about itself.
	guest guest
	// manifest describes the finished image.
	manifest manifest.Manifest
	// published is true once the output directory is in its place.
	published bool
}

func newBuild(config *Config) *build {
	b := &build{config: config}
	b.accelerator, b.warning = accelerator.Settle(config.Accelerator)
	return b
}

// localBase is the base image if it is a file of this host.
func (b *build) localBase() (path string, local bool) {
	if _, listed := catalogue[b.config.BaseImage]; listed || fetch.IsURL(b.config.BaseImage) {
		return "", false
	}
	return b.config.BaseImage, true
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

// publishedImage is where the image lies in the end.
func (b *build) publishedImage() string {
	return filepath.Join(b.config.OutputDirectory, b.config.imageFile())
}
