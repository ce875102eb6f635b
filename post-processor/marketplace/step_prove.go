package marketplace

import (
	"context"

	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"
)

// stepProve checks the images against their manifests.
type stepProve struct {
	pub *publication
	ui  packersdk.Ui
}

func (s *stepProve) Run(ctx context.Context) error {
	for _, d := range s.pub.disks {
		if err := d.Check(ctx, s.ui.Say); err != nil {
			return err
		}
	}
	return nil
}
