package builder

import (
	"context"
	"fmt"
	"os"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/qemuimg"
)

// stepCompact converts the disk of the machine into the image and deletes the disk.
type stepCompact struct{ *build }

func (s *stepCompact) Run(ctx context.Context) error {
	s.ui.Say("Compacting the image...")
	if err := qemuimg.Compact(ctx, s.machineDisk(), s.image(), s.ui.Say); err != nil {
		return s.failLate(ctx, err, s.packByHand)
	}
	if err := os.RemoveAll(s.machineDirectory()); err != nil {
		return s.failLate(ctx, fmt.Errorf("remove the disk of the machine: %w", err), s.inspectAgain)
	}
	return nil
}
