// Package provisioner is the Packer provisioner "slm-copilot": it turns a running Debian or
// Ubuntu machine into the appliance by installing the engine, its backend, the model and
// the agent, tests that they work together, and cleans up.
package provisioner

import (
	"context"
	"fmt"

	"github.com/hashicorp/hcl/v2/hcldec"
	"github.com/hashicorp/packer-plugin-sdk/common"
	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/step"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/fetch"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/ociimage"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/vm/remote"
)

// Provisioner implements the provisioner. The zero value is ready for Prepare.
type Provisioner struct {
	config Config
}

// ConfigSpec returns the schema of the block for Packer.
func (p *Provisioner) ConfigSpec() hcldec.ObjectSpec {
	return p.config.FlatMapstructure().HCL2Spec()
}

// Prepare reads the block and reports every mistake in it.
func (p *Provisioner) Prepare(raws ...any) error {
	return p.config.decode(raws...)
}

// Provision runs the stages in order and stops at the first that fails. It leaves a failed
// machine as it is, because the builder discards it.
func (p *Provisioner) Provision(ctx context.Context, ui packersdk.Ui, comm packersdk.Communicator, generated map[string]any) error {
	// Not shared with other plugins, because its files are named only by their digest.
	cacheDir, err := packersdk.CachePath(appliance.Name)
	if err != nil {
		return fmt.Errorf("find Packer's cache directory: %w", err)
	}
	say := func(line string) { ui.Say("  " + line) }
	b := &bake{
		config:   p.config,
		say:      say,
		machine:  remote.NewMachine(comm),
		fetcher:  fetch.New(cacheDir, say),
		puller:   ociimage.NewPuller(cacheDir, say),
		cacheDir: cacheDir,
		agents:   embeddedAgents,
		base:     baseImage(generated),
		version:  imageVersion(generated),
	}
	defer func() { b.payload.discard() }()
	// The PackerConfig is empty because Packer itself handles -debug and -on-error for a
	// provisioner as a whole.
	return step.Run(ctx, ui, common.PackerConfig{}, "the bake", b.stages(ui.Say)...)
}
