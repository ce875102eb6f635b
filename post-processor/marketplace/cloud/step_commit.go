package cloud

import (
	"context"
	"fmt"

	"github.com/hashicorp/packer-plugin-sdk/multistep"
)

// stepCommit makes the new apps the ones that count: those they replace go, and they get
// their names.
type stepCommit struct{ *Publisher }

func (s *stepCommit) Run(ctx context.Context, state multistep.StateBag) multistep.StepAction {
	if s.idle() {
		return multistep.ActionContinue
	}
	s.committed = true
	for i, app := range s.plan.apps {
		if err := s.commit(ctx, app, s.apps[i]); err != nil {
			return end(state, fmt.Errorf("%w; app %d is published and proven: run again to finish", err, s.apps[i]))
		}
	}
	return multistep.ActionContinue
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

func (s *stepCommit) Cleanup(multistep.StateBag) {}
