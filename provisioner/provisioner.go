// Package provisioner is the Packer provisioner "slm-copilot": it turns a running
// Debian or Ubuntu machine into the appliance by baking in the engine, its backend, the
// model and the agent, proves that they work together, and cleans up behind itself.
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

// Provisioner bakes the appliance. The zero value is ready for Prepare.
type Provisioner struct {
	config Config
}

// ConfigSpec tells Packer which attributes the block may hold.
func (p *Provisioner) ConfigSpec() hcldec.ObjectSpec {
	return p.config.FlatMapstructure().HCL2Spec()
}

// Prepare reads the block and reports every mistake in it.
func (p *Provisioner) Prepare(raws ...any) error {
	return p.config.decode(raws...)
}

// Provision runs the stages in order and stops at the first that fails. The machine is
// then half an appliance; the builder throws it away.
func (p *Provisioner) Provision(ctx context.Context, ui packersdk.Ui, comm packersdk.Communicator, generated map[string]any) error {
	// A directory of our own: its files are named by digest alone.
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
	}
	defer func() { b.payload.discard() }()
	// -debug and -on-error are about the provisioner as a whole, for which Packer itself asks.
	return step.Run(ctx, ui, common.PackerConfig{}, "the bake", b.stages(ui.Say)...)
}
