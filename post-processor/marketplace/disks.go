package marketplace

import (
	"context"
	"fmt"

	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/artifact"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/manifest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/progress"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/digest"
)

// disk is one image with its manifest.
type disk struct {
	path, manifestPath string
	manifest           manifest.Manifest
}

// findDisks returns the image of an artifact, and that of the model if the weights are on
// a disk of their own.
func findDisks(input packersdk.Artifact) ([]disk, error) {
	image, manifestPath, err := artifact.Find(input)
	if err != nil {
		return nil, err
	}
	disks := []disk{{path: image, manifestPath: manifestPath}}
	if model, split := input.State(appliance.StateModelImagePath).(string); split {
		disks = append(disks, disk{path: model, manifestPath: manifest.Path(model)})
	}
	for i := range disks {
		disks[i].manifest, err = manifest.Read(disks[i].manifestPath)
		if err != nil {
			return nil, fmt.Errorf(`%w; the source "slm-copilot" writes a manifest beside each image it builds`, err)
		}
	}
	if disks[0].manifest.OSID == "" {
		return nil, fmt.Errorf("%s holds no operating system, only data: it is not an appliance", image)
	}
	return disks, nil
}

// prove reads the whole image: what is in it must be what its manifest says.
func (d disk) prove(ctx context.Context, say func(string)) error {
	say("Checking the image " + d.path + " against its manifest")
	meter := progress.Lines("check", d.manifest.FileSize, say)
	is, err := digest.File(ctx, d.path, meter)
	if err != nil {
		return fmt.Errorf("read the image: %w", err)
	}
	meter.Finish()
	return checkDigests(d.path, d.manifest, is)
}
