package cloud

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/opennebula"
)

const (
	// cleanupTimeout is for everything that a run takes back at its end.
	cleanupTimeout = 2 * time.Minute
	// defaultSettle is for a copy that the front-end is about to end.
	defaultSettle = 15 * time.Second
)

// rollBack deletes what this run has made, its lease last. When the new apps count, or all
// is done, that is the lease alone. Everything is found by the label of the run, so it does
// not matter which answers were lost.
func (p *Publisher) rollBack(ctx context.Context) error {
	w, err := takeInventory(ctx, p.Client)
	if err != nil {
		return err
	}
	isMine := func(t opennebula.Template) bool { return t.Get(p.run.Name) == p.run.Value }
	var errs []error
	for _, app := range w.apps {
		if isMine(app.Template) && !p.committed {
			errs = append(errs, p.rollBackApp(ctx, app.ID))
		}
	}
	for _, image := range w.images {
		if isMine(image.Template) && !p.committed {
			errs = append(errs, p.rollBackImage(ctx, image.ID))
		}
	}
	for _, template := range w.templates {
		isLease := template.Template.Get(labelPart) == partLease
		if isMine(template.Template) && (isLease || !p.committed) {
			errs = append(errs, p.Client.DeleteVMTemplate(ctx, template.ID))
		}
	}
	return errors.Join(errs...)
}

// rollBackApp leaves an app alone that is being copied: when it is deleted then, its file
// stays in the marketplace and nothing names it any more.
func (p *Publisher) rollBackApp(ctx context.Context, id int) error {
	settle, cancel := context.WithTimeout(ctx, cmp.Or(p.Settle, defaultSettle))
	defer cancel()
	if _, err := p.Client.WaitApp(settle, id); settle.Err() != nil {
		p.Say(fmt.Sprintf("App %d is being copied still and stays; the next run goes on with it, or: onemarketapp delete %d", id, id))
		return nil
	} else if opennebula.IsGone(err) {
		return nil
	}
	return p.deleteApp(ctx, id)
}

// rollBackImage leaves an image alone that is being copied, for the same reason.
func (p *Publisher) rollBackImage(ctx context.Context, id int) error {
	settle, cancel := context.WithTimeout(ctx, cmp.Or(p.Settle, defaultSettle))
	defer cancel()
	if _, err := p.Client.WaitImage(settle, id); settle.Err() != nil {
		p.Say(fmt.Sprintf("Image %d is being copied still and stays; the next run goes on with it, or: oneimage delete %d", id, id))
		return nil
	} else if opennebula.IsGone(err) {
		return nil
	}
	return p.deleteImage(ctx, id)
}

func (p *Publisher) deleteImage(ctx context.Context, id int) error {
	if err := p.Client.DeleteImage(ctx, id); err != nil {
		return err
	}
	return p.Client.WaitImageGone(ctx, id)
}

func (p *Publisher) deleteApp(ctx context.Context, id int) error {
	if err := p.Client.DeleteApp(ctx, id); err != nil {
		return err
	}
	return p.Client.WaitAppGone(ctx, id)
}
