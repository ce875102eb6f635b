package cloud

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/opennebula"
)

// stepVerify reads everything back, because oned accepts some values without storing them.
type stepVerify struct{ *Publisher }

func (s *stepVerify) Run(ctx context.Context) error {
	var mistakes []error
	for i, app := range s.plan.apps {
		mistakes = append(mistakes, s.verifyApp(ctx, app, s.apps[i]))
	}
	if s.plan.template != nil {
		mistakes = append(mistakes, s.verifyTemplate(ctx))
	}
	return errors.Join(mistakes...)
}

func (s *stepVerify) verifyApp(ctx context.Context, app appPlan, id int) error {
	seen, err := s.Client.App(ctx, id)
	if err != nil {
		return err
	}
	if seen.State != opennebula.AppReady || seen.Type != app.kind {
		return fmt.Errorf("app %d is a %s in the state %s, not a READY %s", id, seen.Type, seen.State, app.kind)
	}
	what := fmt.Sprintf("app %d (%s)", id, seen.Name)
	return errors.Join(
		s.Appliance.proveBytes(app, seen, s.datastore.Template.Get("DRIVER")),
		stored(what, app.contentFor(seen), seen.Template),
		s.offered(what, seen.Permissions, seen.GroupID))
}

func (s *stepVerify) verifyTemplate(ctx context.Context) error {
	seen, err := s.Client.VMTemplate(ctx, s.template)
	if err != nil {
		return err
	}
	what := fmt.Sprintf("VM template %d", s.template)
	return errors.Join(
		stored(what, s.Appliance.vmTemplate(s.images), seen.Template),
		s.offered(what, seen.Permissions, seen.GroupID))
}

func stored(what string, want, seen opennebula.Template) error {
	differ := differing(want, seen)
	if len(differ) == 0 {
		return nil
	}
	return fmt.Errorf("the front-end has not stored these attributes of %s as they were sent: %s", what, strings.Join(names(differ), ", "))
}

func (s *stepVerify) offered(what string, permissions opennebula.Permissions, group int) error {
	if s.isOffered(permissions, group) {
		return nil
	}
	return fmt.Errorf("%s has the permissions %s and the group %d after they were set to others", what, permissions, group)
}
