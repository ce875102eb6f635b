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
	// cleanupTimeout limits the whole rollback.
	cleanupTimeout = 2 * time.Minute
	// defaultSettle allows a copy that the front-end has almost finished to end.
	defaultSettle = 15 * time.Second
)

// rollBack deletes the objects that this run created, its lease last. Once the new apps are
// committed, it deletes only the lease. It finds the objects by the label of the run, so it
// does not matter if the response to a create call was lost.
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

// rollBackApp leaves an app alone while it is being copied: deleting it then would leave
// its file in the marketplace, with no object that refers to it.
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

// rollBackImage leaves an image alone while it is being copied, for the same reason.
func (p *Publisher) rollBackImage(ctx context.Context, id int) error {
	settle, cancel := context.WithTimeout(ctx, cmp.Or(p.Settle, defaultSettle))
	defer cancel()
	if _, err := p.Client.WaitImage(settle, id); settle.Err() != nil {
		p.Say(fmt.Sprintf("Image %d is being copied still and stays; the next run goes on with it, or ask an administrator for: oneimage delete --force %d", id, id))
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
