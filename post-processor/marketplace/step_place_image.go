package marketplace

import (
	"context"

	"github.com/hashicorp/packer-plugin-sdk/multistep"
	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/progress"
)

// stepPlaceImage brings the image into the catalog. Nothing lists it yet.
type stepPlaceImage struct {
	pub *publication
	ui  packersdk.Ui
}

func (s *stepPlaceImage) Run(ctx context.Context, state multistep.StateBag) multistep.StepAction {
	s.ui.Say("Publishing " + s.pub.entry.Name + " in " + s.pub.catalog.Directory())
	size := s.pub.manifest.FileSize
	meter := progress.Lines("copy", size, s.ui.Say)
	if err := s.pub.catalog.PlaceImage(ctx, s.pub.entry, s.pub.image, size, meter); err != nil {
		return halt(state, err)
	}
	return multistep.ActionContinue
}

// Cleanup is the catalog's: closing it removes what is not listed.
func (s *stepPlaceImage) Cleanup(multistep.StateBag) {}
