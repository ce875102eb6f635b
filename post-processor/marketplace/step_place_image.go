package marketplace

import (
	"context"

	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/progress"
)

// stepPlaceImage copies or links the images into the catalog, before the list refers to
// them.
type stepPlaceImage struct {
	pub *publication
	ui  packersdk.Ui
}

func (s *stepPlaceImage) Run(ctx context.Context) error {
	s.ui.Say("Publishing " + s.pub.entry().Name + " in " + s.pub.catalog.Directory())
	for i, d := range s.pub.disks {
		size := d.Manifest.FileSize
		meter := progress.Lines("copy", size, s.ui.Say)
		if err := s.pub.catalog.PlaceImage(ctx, s.pub.entries[i], d.Path, size, meter); err != nil {
			return err
		}
	}
	return nil
}
