package marketplace

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
)

// withRescue keeps the image of a run that failed with err, and adds to err where it is.
// Packer deletes what the source has made when the first post-processor fails, whatever
// that one asks for, and an image takes long to bake. (After verify this is not the first.)
func withRescue(err error, input packersdk.Artifact, pub *publication) error {
	if pub.image == "" || input.BuilderId() != appliance.BuilderID {
		return err
	}
	kept, rescueErr := rescue(pub.image, input.Files())
	if rescueErr != nil {
		return errors.Join(err, fmt.Errorf("the image could not be kept either: %w", rescueErr))
	}
	return fmt.Errorf("%w\nThe image is kept as %s", err, kept)
}

// rescue links the image, and the files that came with it, into a directory beside theirs.
func rescue(image string, files []string) (string, error) {
	directory := filepath.Dir(image) + ".unpublished"
	if err := os.MkdirAll(directory, 0o755); err != nil {
		return "", err
	}
	kept := filepath.Join(directory, filepath.Base(image))
	if err := link(image, kept); err != nil {
		return "", err
	}
	for _, file := range files {
		if file == image || filepath.Dir(file) != filepath.Dir(image) {
			continue
		}
		err := link(file, filepath.Join(directory, filepath.Base(file)))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return "", err
		}
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
