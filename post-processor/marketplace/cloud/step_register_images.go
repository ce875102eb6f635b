package cloud

import (
	"context"
	"fmt"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/opennebula"
)

// stepRegisterImages creates the images, which the front-end copies into the datastore.
type stepRegisterImages struct{ *Publisher }

func (s *stepRegisterImages) Run(ctx context.Context) error {
	for i, image := range s.plan.images {
		if !image.needed {
			continue
		}
		if err := s.register(ctx, i, image); err != nil {
			return err
		}
	}
	// The front-end has all images now, so no server or connection is needed while the
	// marketplace copies.
	return s.Transfer.Close()
}

func (s *stepRegisterImages) register(ctx context.Context, i int, image imagePlan) error {
	for _, broken := range image.broken {
		if err := s.deleteImage(ctx, broken.ID); err != nil {
			return err
		}
	}
	if image.isMissing() {
		id, err := s.Client.CreateImage(ctx, s.Appliance.imageName(i), s.run, s.datastore.ID, s.Appliance.image(i, s.paths[i]))
		if err != nil {
			return fmt.Errorf("register the image in the datastore %q: %w", s.datastore.Name, explainSource(s.paths[i], err))
		}
		s.images[i] = id
		s.Say(fmt.Sprintf("Image %d: the front-end copies it into the datastore %q", id, s.datastore.Name))
	}
	ctx, cancel := context.WithTimeout(ctx, s.Target.Timeout)
	defer cancel()
	ready, err := s.Client.WaitImage(ctx, s.images[i])
	if err != nil {
		return explainCopy(err)
	}
	return s.offerImage(ctx, image, ready)
}

// offerImage sets group and permissions of an image that stays.
func (s *stepRegisterImages) offerImage(ctx context.Context, image imagePlan, ready opennebula.Image) error {
	if !image.keep {
		return nil
	}
	return s.offer(ready.ID, ready.Permissions, ready.GroupID,
		func(id int, p opennebula.Permissions) error { return s.Client.ChmodImage(ctx, id, p) },
		func(id, group int) error { return s.Client.ChgrpImage(ctx, id, group) })
}

// offer changes group and permissions of an object where they differ from the target's.
func (p *Publisher) offer(id int, permissions opennebula.Permissions, group int,
	chmod func(int, opennebula.Permissions) error, chgrp func(int, int) error) error {
	if p.group >= 0 && group != p.group {
		if err := chgrp(id, p.group); err != nil {
			return err
		}
	}
	if permissions == p.Target.Permissions {
		return nil
	}
	return chmod(id, p.Target.Permissions)
}
