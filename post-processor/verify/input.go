package verify

import (
	"fmt"
	"path/filepath"

	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
)

// findImage returns the path of the image of an artifact. Our own artifacts name it; any
// other, such as one of the post-processor "artifice", must hold one QCOW2 file.
func findImage(input packersdk.Artifact) (string, error) {
	if image, _ := input.State(appliance.StateImagePath).(string); image != "" {
		return image, nil
	}
	var images []string
	for _, file := range input.Files() {
		if filepath.Ext(file) == ".qcow2" {
			images = append(images, file)
		}
	}
	if len(images) != 1 {
		return "", fmt.Errorf("the artifact must hold exactly one .qcow2 file to verify, it holds %d: %q", len(images), images)
	}
	return images[0], nil
}
