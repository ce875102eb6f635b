package marketplace

import (
	"context"

	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/catalog"
)

// stepOpenCatalog locks the catalog until the run ends.
type stepOpenCatalog struct {
	directory string
	pub       *publication
	ui        packersdk.Ui
}

func (s *stepOpenCatalog) Run(ctx context.Context) error {
	opened, err := catalog.Open(ctx, s.directory, s.pub.base, s.ui.Say)
	if err != nil {
		return err
	}
	s.pub.catalog = opened
	return nil
}

func (s *stepOpenCatalog) Cleanup() {
	if s.pub.catalog == nil {
		return
	}
	if err := s.pub.catalog.Close(); err != nil {
		s.ui.Error("Could not close the catalog: " + err.Error())
	}
}
