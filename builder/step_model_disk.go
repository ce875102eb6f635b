package builder

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/packer-plugin-sdk/multistep"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/manifest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/modeldisk"
)

// stepModelDisk makes the image of the disk with the weights, before the machine that finds
// it by its label.
type stepModelDisk struct{ *build }

func (s *stepModelDisk) Run(ctx context.Context, state multistep.StateBag) multistep.StepAction {
	if !s.config.ModelDisk {
		return multistep.ActionContinue
	}
	ui := uiOf(state)
	ui.Say("Making the disk with the model...")
	weights := modeldisk.Weights{Path: s.weights.Path, SHA256: s.weights.SHA256, Size: s.weights.Size}
	if err := modeldisk.Write(ctx, weights, s.modelImage(), ui.Say); err != nil {
		return fail(state, err)
	}
	described, err := describe(ctx, s.modelImage(), ui.Say)
	if err != nil {
		return fail(state, err)
	}
	described.Name, described.Version = s.config.ImageName+"-model", s.weights.SHA256[:12]
	described.CreationTime, described.BuildID = time.Now().Unix(), s.id
	s.modelManifest = described
	if err := manifest.Write(manifest.Path(s.modelImage()), described); err != nil {
		return fail(state, fmt.Errorf("describe the model disk: %w", err))
	}
	return multistep.ActionContinue
}

// Cleanup has nothing to do: the file lies in the directory that stepClaimOutput removes.
func (s *stepModelDisk) Cleanup(multistep.StateBag) {}
