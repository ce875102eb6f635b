package marketplace

import (
	"errors"
	"fmt"
	"path/filepath"

	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/digest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/manifest"
)

// findImage returns the paths of the image of an artifact and of its manifest. Our own artifacts name
// both; any other, such as one of the post-processor "artifice", must hold one QCOW2
// file, with its manifest beside it.
func findImage(input packersdk.Artifact) (image, manifestPath string, err error) {
	image, _ = input.State(appliance.StateImagePath).(string)
	if image == "" {
		if image, err = onlyImage(input.Files()); err != nil {
			return "", "", err
		}
	}
	manifestPath, _ = input.State(appliance.StateManifestPath).(string)
	if manifestPath == "" {
		manifestPath = manifest.Path(image)
	}
	return image, manifestPath, nil
}

func onlyImage(files []string) (string, error) {
	var images []string
	for _, file := range files {
		if filepath.Ext(file) == ".qcow2" {
			images = append(images, file)
		}
	}
	if len(images) != 1 {
		return "", fmt.Errorf("the artifact must hold exactly one .qcow2 file to publish, it holds %d: %q", len(images), images)
	}
	return images[0], nil
}

// checkDigests compares what is in the image with what its manifest says. OpenNebula does
// not name a wrong digest, it only ends in an error; so it must be found here.
func checkDigests(image string, m manifest.Manifest, is digest.Digests) error {
	var mistakes []error
	for _, field := range []struct {
		name      string
		want, got any
	}{
		{"file_size", m.FileSize, is.Size},
		{"md5", m.MD5, is.MD5},
		{"sha1", m.SHA1, is.SHA1},
		{"sha256", m.SHA256, is.SHA256},
	} {
		if field.got != field.want {
			mistakes = append(mistakes, fmt.Errorf("%s: the manifest says %v, the file has %v", field.name, field.want, field.got))
		}
	}
	if len(mistakes) == 0 {
		return nil
	}
	return fmt.Errorf("the image %s is not the one its manifest describes; build it again: %w", image, errors.Join(mistakes...))
}
