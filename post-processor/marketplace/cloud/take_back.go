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

// takeBack deletes what this run has made, its claim last. When the new apps count, or all
// is done, that is the claim alone. Everything is found by the mark of the run, so it does
// not matter which answers were lost.
func (p *Publisher) takeBack(ctx context.Context) error {
	w, err := look(ctx, p.Client)
	if err != nil {
		return err
	}
	isMine := func(t opennebula.Template) bool { return t.Get(p.run.Name) == p.run.Value }
	var errs []error
	for _, app := range w.apps {
		if isMine(app.Template) && !p.committed {
			errs = append(errs, p.takeBackApp(ctx, app.ID))
		}
	}
	for _, image := range w.images {
		if isMine(image.Template) && !p.committed {
			errs = append(errs, p.takeBackImage(ctx, image.ID))
		}
	}
	for _, template := range w.templates {
		isClaim := template.Template.Get(markPart) == partClaim
		if isMine(template.Template) && (isClaim || !p.committed) {
			errs = append(errs, p.Client.DeleteVMTemplate(ctx, template.ID))
		}
	}
	return errors.Join(errs...)
}

// takeBackApp leaves an app alone that is being copied: when it is deleted then, its file
// stays in the marketplace and nothing names it any more.
func (p *Publisher) takeBackApp(ctx context.Context, id int) error {
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

// takeBackImage leaves an image alone that is being copied, for the same reason.
func (p *Publisher) takeBackImage(ctx context.Context, id int) error {
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
