package cloud

import (
	"context"
	"fmt"
	"slices"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/opennebula"
)

// stepRegisterApps creates the apps, for which the marketplace copies the images.
type stepRegisterApps struct{ *Publisher }

func (s *stepRegisterApps) Run(ctx context.Context) error {
	for i, app := range s.plan.apps {
		if err := s.register(ctx, i, app); err != nil {
			return err
		}
	}
	return nil
}

func (s *stepRegisterApps) register(ctx context.Context, i int, app appPlan) error {
	for _, broken := range app.broken {
		if err := s.deleteApp(ctx, broken.ID); err != nil {
			return err
		}
	}
	if app.isMissing() {
		origin := -1
		if app.kind == opennebula.AppImage {
			origin = s.images[app.disk]
		}
		content := append(slices.Clone(app.content), opennebula.Attribute{Name: "ORIGIN_ID", Value: fmt.Sprint(origin)})
		id, err := s.Client.CreateApp(ctx, app.made(), s.run, s.marketplace.ID, content)
		if err != nil {
			return fmt.Errorf("publish %q in the marketplace %q: %w", app.made(), s.marketplace.Name, err)
		}
		s.apps[i] = id
		s.Say(fmt.Sprintf("App %d (%s): %q", id, app.kind, app.made()))
	}
	ctx, cancel := context.WithTimeout(ctx, s.Target.Timeout)
	defer cancel()
	ready, err := s.Client.WaitApp(ctx, s.apps[i])
	if err != nil {
		return explainCopy(err)
	}
	return s.complete(ctx, app, ready)
}

// complete updates the attributes of the app, in particular with the MD5 of its file, which
// is known only now.
func (s *stepRegisterApps) complete(ctx context.Context, app appPlan, ready opennebula.App) error {
	if differ := differing(app.contentFor(ready), ready.Template); len(differ) > 0 {
		if err := s.Client.UpdateApp(ctx, ready.ID, differ); err != nil {
			return fmt.Errorf("update app %d: %w", ready.ID, err)
		}
	}
	return nil
}
