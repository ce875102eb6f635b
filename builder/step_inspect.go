package builder

import (
	"context"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/inspect"
)

// stepInspect looks into the finished image before anybody gets it. All that goes with the
// image is there by then: what the step cannot find out can be found out later. Only one
// that our provisioner baked can be held to its rules.
type stepInspect struct{ *build }

// Needed says whether our provisioner baked the image.
func (s *stepInspect) Needed() bool { return s.baked.there() }

func (s *stepInspect) Run(ctx context.Context) error {
	s.ui.Say("Looking into the image...")
	if err := inspect.Inspect(ctx, s.image(), s.config.partialDirectory(), s.ui.Say); err != nil {
		return s.failLate(ctx, err, s.inspectAgain)
	}
	return nil
}
