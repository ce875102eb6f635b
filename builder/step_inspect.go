package builder

import (
	"context"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/inspect"
)

// stepInspect checks the contents of the finished image before it is published. It runs
// after the files next to the image are written, so that a failed inspection can be
// repeated. It needs an image baked by the provisioner "slm-copilot", whose rules it
// checks.
type stepInspect struct{ *build }

// Needed reports whether the provisioner "slm-copilot" baked the image.
func (s *stepInspect) Needed() bool { return s.baked.there() }

func (s *stepInspect) Run(ctx context.Context) error {
	s.ui.Say("Looking into the image...")
	if err := inspect.Inspect(ctx, s.image(), s.config.partialDirectory(), s.ui.Say); err != nil {
		return s.failLate(ctx, err, s.inspectAgain)
	}
	return nil
}
