package verify

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/manifest"
)

// withEvidence keeps what a failed trial leaves, and adds to err where it is. Packer
// deletes what the source has made when the first post-processor fails, whatever that one
// asks for, and an image takes long to bake.
func withEvidence(err error, t *trial) error {
	t.report.Error = err.Error()
	kept, keepErr := keep(t)
	if keepErr != nil {
		return errors.Join(err, fmt.Errorf("the image and the report could not be kept either: %w", keepErr))
	}
	return fmt.Errorf("%w\nThe image, the report and the serial log are kept in %s", err, kept)
}

// keep makes the directory of evidence beside that of the image, in place of one that an
// earlier failure left.
func keep(t *trial) (string, error) {
	absolute, err := filepath.Abs(t.image)
	if err != nil {
		return "", err
	}
	directory := filepath.Dir(absolute) + ".unverified"
	if err := os.RemoveAll(directory); err != nil {
		return "", err
	}
	if err := os.MkdirAll(directory, 0o755); err != nil {
		return "", err
	}
	kept := filepath.Join(directory, filepath.Base(t.image))
	if err := os.Link(t.image, kept); err != nil {
		return "", err
	}
	_, reportErr := writeReports(kept, t.report)
	errs := []error{
		reportErr,
		linkIfThere(serialLog(t.image), serialLog(kept)),
		linkIfThere(manifest.Path(t.image), manifest.Path(kept)),
	}
	for _, file := range t.files {
		if filepath.Dir(file) == filepath.Dir(t.image) {
			errs = append(errs, linkIfThere(file, filepath.Join(directory, filepath.Base(file))))
		}
	}
	return directory, errors.Join(errs...)
}

// linkIfThere leaves out what the trial did not get to, and what is kept already.
func linkIfThere(source, target string) error {
	err := os.Link(source, target)
	if err != nil && !errors.Is(err, os.ErrNotExist) && !errors.Is(err, os.ErrExist) {
		return err
	}
	return nil
}
