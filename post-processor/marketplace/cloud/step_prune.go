package cloud

import (
	"context"
	"fmt"
	"strings"
)

// stepPrune deletes old versions. Since the new one is published by now, a failure here
// does not fail the run: it is reported, and the next run tries again.
type stepPrune struct{ *Publisher }

func (s *stepPrune) Run(ctx context.Context) error {
	prune := s.plan.prune
	if len(prune.versions) > 0 {
		s.Say("Deleting the versions beyond those that are kept: " + strings.Join(prune.versions, ", "))
	}
	for _, app := range prune.apps {
		s.tell("app", app.ID, app.Name, s.deleteApp(ctx, app.ID))
	}
	for _, template := range prune.templates {
		s.tell("VM template", template.ID, template.Name, s.Client.DeleteVMTemplate(ctx, template.ID))
	}
	for _, image := range prune.images {
		s.tell("image", image.ID, image.Name, s.deleteImage(ctx, image.ID))
	}
	return nil
}

// tell reports what could not be deleted, such as an image that virtual machines use.
func (p *Publisher) tell(kind string, id int, name string, err error) {
	if err != nil {
		p.Say(fmt.Sprintf("%s %d (%s) stays: %v", kind, id, name, err))
	}
}
