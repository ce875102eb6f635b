package marketplace

import (
	"context"

	"github.com/hashicorp/packer-plugin-sdk/multistep"
	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"
)

// stepProve proves the images against their manifests.
type stepProve struct {
	pub *publication
	ui  packersdk.Ui
}

func (s *stepProve) Run(ctx context.Context, state multistep.StateBag) multistep.StepAction {
	for _, d := range s.pub.disks {
		if err := d.prove(ctx, s.ui.Say); err != nil {
			return halt(state, err)
		}
	}
	return multistep.ActionContinue
}

func (s *stepProve) Cleanup(multistep.StateBag) {}
