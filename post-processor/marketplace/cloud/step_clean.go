package cloud

import (
	"context"
	"fmt"
)

// stepClean deletes the intermediate objects: the transferred files, and the images that
// nothing uses.
type stepClean struct{ *Publisher }

func (s *stepClean) Run(ctx context.Context) error {
	for i, image := range s.plan.images {
		if image.isMissing() || !image.keep && image.found != nil {
			s.clean(ctx, i, image)
		}
	}
	s.done = true
	s.Say(fmt.Sprintf("%s is published in the marketplace %s as app %d", s.Appliance.title(), s.marketplace.Name, s.AppID()))
	return nil
}

// clean deletes the file before the image: as long as the image exists, the next run sees
// that there is something left to delete.
func (s *stepClean) clean(ctx context.Context, i int, image imagePlan) {
	file := fileOf(s.Appliance.Disks[i])
	if err := s.Transfer.Remove(ctx, file); err != nil {
		s.Say(fmt.Sprintf("The transferred file %s stays: %v", file.Name, err))
		return
	}
	if !image.keep {
		s.tell("image", s.images[i], s.Appliance.imageName(i), s.deleteImage(ctx, s.images[i]))
	}
}
