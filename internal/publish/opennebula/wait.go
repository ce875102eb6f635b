package opennebula

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/retry"
)

// heartbeat is the time between two lines that report what is being waited for.
const heartbeat = 10 * time.Second

// WaitImage waits until an image is READY or in use and returns it. If it is in ERROR, the
// error contains the front-end's reason. The deadline is that of ctx.
func (c *Client) WaitImage(ctx context.Context, id int) (image Image, err error) {
	err = c.wait(ctx, fmt.Sprintf("image %d", id), func(ctx context.Context) (string, bool, error) {
		if image, err = c.Image(ctx, id); err != nil {
			return "", false, err
		}
		switch image.State {
		case ImageReady, ImageUsed:
			return "", true, nil
		case ImageError:
			return "", false, &FailedError{fmt.Sprintf("image %d (%s)", id, image.Name), reason(image.Template)}
		case ImageDelete:
			return "", false, fmt.Errorf("image %d (%s) is being deleted by another user", id, image.Name)
		}
		return fmt.Sprintf("is %s: the front-end is copying it", image.State), false, nil
	})
	return image, stuck(ctx, err, "image %d is LOCKED still. If the front-end was restarted while it copied, it stays so for ever: "+
		"ask an administrator for: oneimage delete --force %d, then run again. If the copy is only slow, raise the time-out and run again: it is found", id)
}

// WaitImageGone waits until a deletion has finished.
func (c *Client) WaitImageGone(ctx context.Context, id int) error {
	err := c.wait(ctx, fmt.Sprintf("image %d", id), func(ctx context.Context) (string, bool, error) {
		image, err := c.Image(ctx, id)
		return gone(err, image.State == ImageError, image.Template)
	})
	return stuck(ctx, err, "image %d is being deleted still: ask an administrator for the reason in the log of the front-end, then: oneimage delete %d", id)
}

// WaitApp waits until an app is READY or DISABLED and returns it. If it is in ERROR, the error
// contains the front-end's reason. The deadline is that of ctx.
func (c *Client) WaitApp(ctx context.Context, id int) (app App, err error) {
	err = c.wait(ctx, fmt.Sprintf("app %d", id), func(ctx context.Context) (string, bool, error) {
		if app, err = c.App(ctx, id); err != nil {
			return "", false, err
		}
		switch app.State {
		case AppReady, AppDisabled:
			return "", true, nil
		case AppError:
			return "", false, &FailedError{fmt.Sprintf("app %d (%s)", id, app.Name), reason(app.Template)}
		}
		return fmt.Sprintf("is %s: the marketplace is copying it", app.State), false, nil
	})
	return app, stuck(ctx, err, "app %d is LOCKED still. If the front-end was restarted while it copied, it stays so for ever: "+
		"onemarketapp delete %d, then run again. If the copy is only slow, raise the time-out and run again: it is found", id)
}

// WaitAppGone waits until a deletion has finished; until then the name is taken.
func (c *Client) WaitAppGone(ctx context.Context, id int) error {
	err := c.wait(ctx, fmt.Sprintf("app %d", id), func(ctx context.Context) (string, bool, error) {
		app, err := c.App(ctx, id)
		return gone(err, app.State == AppError, app.Template)
	})
	return stuck(ctx, err, "app %d is being deleted still: ask an administrator for the reason in the log of the front-end, then: onemarketapp delete %d", id)
}

func gone(err error, failed bool, template Template) (string, bool, error) {
	switch {
	case IsGone(err):
		return "", true, nil
	case err != nil:
		return "", false, err
	case failed:
		return "", false, errors.New("the deletion failed: " + reason(template))
	}
	return "is being deleted", false, nil
}

// wait calls look until it is done, and reports from time to time what it saw.
func (c *Client) wait(ctx context.Context, what string, look func(context.Context) (seen string, done bool, err error)) error {
	started := time.Now()
	said := started
	for {
		seen, done, err := look(ctx)
		if err != nil || done {
			return err
		}
		if now := time.Now(); now.Sub(said) >= heartbeat {
			said = now
			c.say(fmt.Sprintf("%s %s, since %s", what, seen, now.Sub(started).Round(time.Second)))
		}
		if err := retry.Sleep(ctx, c.poll); err != nil {
			return err
		}
	}
}

// stuck adds a way out to the error of a wait that reached its deadline. wayOut is a format
// string that takes the id twice.
func stuck(ctx context.Context, err error, wayOut string, id int) error {
	// A single call may time out as well; the error is not about the object then.
	if err == nil || !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return err
	}
	return fmt.Errorf("%w: "+wayOut, err, id, id)
}

// reason returns the text of a failure as stored by oned: "<date> : <text>" in one attribute.
func reason(template Template) string {
	text := strings.TrimSpace(template.Get("ERROR"))
	if text == "" {
		return "it gives no reason; ask an administrator for its log"
	}
	return withoutSecrets(text)
}
