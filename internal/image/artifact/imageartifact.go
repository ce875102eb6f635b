// Package artifact finds the image in the artifact passed to a post-processor.
package artifact

import (
	"fmt"
	"path/filepath"

	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/manifest"
)

// Find returns the paths of the image in an artifact and of its manifest. Our own artifacts
// name both. Any other artifact, such as one of the post-processor "artifice", must contain
// exactly one QCOW2 file; its manifest is expected beside it, and may be missing.
func Find(input packersdk.Artifact) (image, manifestPath string, err error) {
	image, _ = input.State(appliance.StateImagePath).(string)
	if image == "" {
		if image, err = only(input.Files()); err != nil {
			return "", "", err
		}
	}
	manifestPath, _ = input.State(appliance.StateManifestPath).(string)
	if manifestPath == "" {
		manifestPath = manifest.Path(image)
	}
	return image, manifestPath, nil
}

func only(files []string) (string, error) {
	var images []string
	for _, file := range files {
		if filepath.Ext(file) == ".qcow2" {
			images = append(images, file)
		}
	}
	if len(images) != 1 {
		return "", fmt.Errorf("the artifact must hold exactly one .qcow2 file, it holds %d: %q", len(images), images)
	}
	return images[0], nil
}
