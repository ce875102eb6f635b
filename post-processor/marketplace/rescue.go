package marketplace

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/hardlink"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/progress"
)

// kept records the links to an image. The zero value has none.
type kept struct {
	directory string
	files     []string
}

// keep hard-links the image, and the files that came with it, into a directory next to
// theirs, replacing what an earlier failure left there. Where links are impossible it
// copies.
func keep(ctx context.Context, say func(string), image string, files []string) (kept, error) {
	k := kept{directory: filepath.Dir(image) + ".unpublished"}
	if err := os.MkdirAll(k.directory, 0o755); err != nil {
		return kept{}, err
	}
	for _, file := range append([]string{image}, files...) {
		target := filepath.Join(k.directory, filepath.Base(file))
		if file != image && (filepath.Dir(file) != filepath.Dir(image) || target == k.image()) {
			continue
		}
		err := hardlink.OrCopy(ctx, file, target, progress.Lines("keep a copy of "+filepath.Base(file), 0, say))
		if errors.Is(err, os.ErrNotExist) && file != image {
			continue
		}
		if err != nil && file == image {
			k.remove()
			return kept{}, err
		}
		if err != nil {
			return k, err // the image itself is kept
		}
		k.files = append(k.files, target)
	}
	return k, nil
}

// image returns the link to the image, which is always the first.
func (k kept) image() string {
	if len(k.files) == 0 {
		return ""
	}
	return k.files[0]
}

// tell adds to err where the image is.
func (k kept) tell(err error) error {
	if k.directory == "" {
		return err
	}
	return fmt.Errorf("%w\nThe image is kept as %s", err, k.image())
}

// remove leaves files alone that others have put into the directory.
func (k kept) remove() {
	for _, file := range k.files {
		_ = os.Remove(file)
	}
	if k.directory != "" {
		_ = os.Remove(k.directory)
	}
}
