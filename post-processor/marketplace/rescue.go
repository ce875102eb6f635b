package marketplace

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/manifest"
)

// withRescue keeps the image of a run that failed with err, and adds to err where it is.
// Packer deletes what the source has made when the first post-processor fails, whatever
// that one asks for, and an image takes long to bake. (After verify this is not the first.)
func withRescue(err error, input packersdk.Artifact, pub *publication) error {
	if pub.image == "" || input.BuilderId() != appliance.BuilderID {
		return err
	}
	kept, rescueErr := rescue(pub.image, pub.manifestPath)
	if rescueErr != nil {
		return errors.Join(err, fmt.Errorf("the image could not be kept either: %w", rescueErr))
	}
	return fmt.Errorf("%w\nThe image is kept as %s", err, kept)
}

// rescue links image and manifest into a directory beside theirs.
func rescue(image, manifestPath string) (string, error) {
	directory := filepath.Dir(image) + ".unpublished"
	if err := os.MkdirAll(directory, 0o755); err != nil {
		return "", err
	}
	kept := filepath.Join(directory, filepath.Base(image))
	if err := link(image, kept); err != nil {
		return "", err
	}
	err := link(manifestPath, manifest.Path(kept))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	return kept, nil
}

// link replaces what an earlier failure left under the name.
func link(source, target string) error {
	if err := os.Remove(target); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return os.Link(source, target)
}
