package cloud

import (
	"context"
	"fmt"
)

// stepTransfer sends the missing images to where the front-end can read them. If the run
// fails, the files stay, so that the next run can resume.
type stepTransfer struct{ *Publisher }

func (s *stepTransfer) Run(ctx context.Context) error {
	s.paths = make([]string, len(s.plan.images))
	for i, image := range s.plan.images {
		if !image.isMissing() {
			continue
		}
		path, err := s.Transfer.Send(ctx, fileOf(s.Appliance.Disks[i]), s.Say)
		if err != nil {
			return fmt.Errorf("bring %s to the front-end: %w", s.Appliance.Disks[i].Path, err)
		}
		s.paths[i] = path
	}
	return nil
}
