package builder

import (
	"context"

	"github.com/hashicorp/packer-plugin-sdk/multistep"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/imageinspect"
)

// stepInspect looks into the finished image before anybody gets it. Only one that our
// provisioner baked can be held to its rules.
type stepInspect struct{ *build }

func (s *stepInspect) Run(ctx context.Context, state multistep.StateBag) multistep.StepAction {
	if !s.baked.there() {
		return multistep.ActionContinue
	}
	ui := uiOf(state)
	ui.Say("Looking into the image...")
	if err := imageinspect.Inspect(ctx, s.image(), s.config.partialDirectory(), ui.Say); err != nil {
		return fail(state, s.withConsole(err))
	}
	return multistep.ActionContinue
}

func (s *stepInspect) Cleanup(multistep.StateBag) {}
