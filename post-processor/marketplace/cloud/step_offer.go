package cloud

import (
	"context"
	"fmt"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/opennebula"
)

// stepOffer sets group and permissions of the apps, because a new app is visible only to
// its owner.
type stepOffer struct{ *Publisher }

func (s *stepOffer) Run(ctx context.Context) error {
	for _, id := range s.apps {
		if err := s.offerApp(ctx, id); err != nil {
			return fmt.Errorf("offer app %d to others: %w", id, err)
		}
	}
	return nil
}

func (s *stepOffer) offerApp(ctx context.Context, id int) error {
	app, err := s.Client.App(ctx, id)
	if err != nil {
		return err
	}
	if app.State == opennebula.AppDisabled {
		if err := s.Client.EnableApp(ctx, id); err != nil {
			return err
		}
	}
	return s.offer(id, app.Permissions, app.GroupID,
		func(id int, p opennebula.Permissions) error { return s.Client.ChmodApp(ctx, id, p) },
		func(id, group int) error { return s.Client.ChgrpApp(ctx, id, group) })
}
