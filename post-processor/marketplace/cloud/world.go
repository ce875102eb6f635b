package cloud

import (
	"context"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/opennebula"
)

// world is what the user has in the cloud already.
type world struct {
	images    []opennebula.Image
	apps      []opennebula.App
	templates []opennebula.VMTemplate
}

func look(ctx context.Context, client *opennebula.Client) (w world, err error) {
	if w.apps, err = client.Apps(ctx); err != nil {
		return world{}, err
	}
	if w.images, err = client.Images(ctx); err != nil {
		return world{}, err
	}
	w.templates, err = client.VMTemplates(ctx)
	return w, err
}
