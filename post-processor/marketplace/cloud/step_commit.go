package cloud

import (
	"context"
	"fmt"
)

// stepCommit makes the new apps current: it deletes the apps that they replace, and gives
// them their final names.
type stepCommit struct{ *Publisher }

func (s *stepCommit) Run(ctx context.Context) error {
	s.committed = true
	for i, app := range s.plan.apps {
		if err := s.commit(ctx, app, s.apps[i]); err != nil {
			return fmt.Errorf("%w; app %d is published and proven: run again to finish", err, s.apps[i])
		}
	}
	return nil
}

func (s *stepCommit) commit(ctx context.Context, app appPlan, id int) error {
	if app.replaced != nil {
		if err := s.deleteApp(ctx, app.replaced.ID); err != nil {
			return fmt.Errorf("delete app %d, which is replaced: %w", app.replaced.ID, err)
		}
	}
	seen, err := s.Client.App(ctx, id)
	if err != nil || seen.Name == app.name {
		return err
	}
	if err := s.Client.RenameApp(ctx, id, app.name); err != nil {
		return fmt.Errorf("rename app %d to %q: %w", id, app.name, err)
	}
	return nil
}
