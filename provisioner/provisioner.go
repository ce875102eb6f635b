// Package provisioner is the Packer provisioner "slm-copilot": it turns a running
// Debian or Ubuntu machine into the appliance by baking in the engine, its backend, the
// model and the agent, proves that they work together, and cleans up behind itself.
package provisioner

import (
	"context"
	"errors"

	"github.com/hashicorp/hcl/v2/hcldec"
	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"
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

// Provision runs the steps in order and stops at the first that fails.
func (p *Provisioner) Provision(ctx context.Context, ui packersdk.Ui, comm packersdk.Communicator, _ map[string]any) error {
	return errors.New("the provisioner has no steps yet")
}
