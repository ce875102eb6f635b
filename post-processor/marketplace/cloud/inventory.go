package cloud

import (
	"context"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/opennebula"
)

// inventory lists the objects that the user already has in the cloud.
type inventory struct {
	images    []opennebula.Image
	apps      []opennebula.App
	templates []opennebula.VMTemplate
}

func takeInventory(ctx context.Context, client *opennebula.Client) (w inventory, err error) {
	if w.apps, err = client.Apps(ctx); err != nil {
		return inventory{}, err
	}
	if w.images, err = client.Images(ctx); err != nil {
		return inventory{}, err
	}
	w.templates, err = client.VMTemplates(ctx)
	return w, err
}
