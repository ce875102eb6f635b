package builder

import (
	"context"

	"github.com/hashicorp/packer-plugin-sdk/multistep"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/inspect"
)

// stepInspect looks into the finished image before anybody gets it. All that goes with the
// image is there by then: what the step cannot find out can be found out later. Only one that our
// provisioner baked can be held to its rules.
type stepInspect struct{ *build }

func (s *stepInspect) Run(ctx context.Context, state multistep.StateBag) multistep.StepAction {
	if !s.baked.there() {
		return multistep.ActionContinue
	}
	ui := uiOf(state)
	ui.Say("Looking into the image...")
	if err := inspect.Inspect(ctx, s.image(), s.config.partialDirectory(), ui.Say); err != nil {
		return s.failLate(ctx, state, err, s.inspectAgain)
	}
	return multistep.ActionContinue
}

func (s *stepInspect) Cleanup(multistep.StateBag) {}
