package marketplace

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// kept is where the links to an image lie. Its zero value is nowhere.
type kept struct {
	directory string
	files     []string
}

// keep links the image, and the files that came with it, into a directory beside theirs.
func keep(image string, files []string) (kept, error) {
	k := kept{directory: filepath.Dir(image) + ".unpublished"}
	if err := os.MkdirAll(k.directory, 0o755); err != nil {
		return kept{}, err
	}
	for _, file := range append([]string{image}, files...) {
		target := filepath.Join(k.directory, filepath.Base(file))
		if file != image && (filepath.Dir(file) != filepath.Dir(image) || target == k.image()) {
			continue
		}
		err := link(file, target)
		if errors.Is(err, os.ErrNotExist) && file != image {
			continue
		}
		if err != nil {
			return kept{}, err
		}
		k.files = append(k.files, target)
	}
	return k, nil
}

// image is the link to the image, the first of all.
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

// remove leaves alone what others have put into the directory.
func (k kept) remove() {
	for _, file := range k.files {
		_ = os.Remove(file)
	}
	if k.directory != "" {
		_ = os.Remove(k.directory)
	}
}

// link replaces what an earlier failure left under the name.
func link(source, target string) error {
	if err := os.Remove(target); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return os.Link(source, target)
}
