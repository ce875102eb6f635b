package marketplace

import (
	"fmt"

	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/artifact"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/manifest"
)

// findDisks returns the image of an artifact and, if the weights are on a disk of their
// own, the image of the model disk.
func findDisks(input packersdk.Artifact) ([]manifest.Disk, error) {
	image, manifestPath, err := artifact.Find(input)
	if err != nil {
		return nil, err
	}
	paths := [][2]string{{image, manifestPath}}
	if model, split := input.State(appliance.StateModelImagePath).(string); split {
		paths = append(paths, [2]string{model, manifest.Path(model)})
	}
	var disks []manifest.Disk
	for _, path := range paths {
		disk, err := manifest.ReadDisk(path[0], path[1])
		if err != nil {
			return nil, fmt.Errorf(`%w; the source "slm-copilot" writes a manifest beside each image it builds`, err)
		}
		disks = append(disks, disk)
	}
	if disks[0].Manifest.OSID == "" {
		return nil, fmt.Errorf("%s holds no operating system, only data: it is not an appliance", image)
	}
	if err := manifest.CheckDisks(disks[0].Manifest, len(disks) > 1); err != nil {
		return nil, err
	}
	return disks, nil
}
