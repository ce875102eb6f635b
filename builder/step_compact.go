package builder

import (
	"context"
	"fmt"
	"os"

	"github.com/hashicorp/packer-plugin-sdk/multistep"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/qemuimg"
)

// stepCompact turns the disk of the machine into the image and throws the disk away.
type stepCompact struct{ *build }

func (s *stepCompact) Run(ctx context.Context, state multistep.StateBag) multistep.StepAction {
	ui := uiOf(state)
	ui.Say("Compacting the image...")
	if err := qemuimg.Compact(ctx, s.machineDisk(), s.image(), ui.Say); err != nil {
		return s.failLate(ctx, state, err, s.packByHand)
	}
	if err := os.RemoveAll(s.machineDirectory()); err != nil {
		return s.failLate(ctx, state, fmt.Errorf("remove the disk of the machine: %w", err), s.inspectAgain)
	}
	return multistep.ActionContinue
}

func (s *stepCompact) Cleanup(multistep.StateBag) {}
