package verify

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/atomicfile"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/hardlink"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/manifest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/progress"
)

// keep hard-links the image, and the files that came with it, into a directory next to
// theirs, replacing what an earlier failure left there. Where links are impossible it
// copies. When the first post-processor fails or is killed, Packer deletes the files of the
// source, even if the post-processor asked to keep them, and an image takes long to build.
// Packer never deletes the files of another post-processor, such as artifice.
func (t *trial) keep(ctx context.Context, say func(string), input packersdk.Artifact) error {
	image, err := filepath.Abs(t.image)
	if err != nil {
		return err
	}
	if strings.HasPrefix(input.BuilderId(), "packer.post-processor.") {
		t.kept = image
		return nil
	}
	directory := filepath.Dir(image) + ".unverified"
	if err := errors.Join(os.RemoveAll(directory), os.MkdirAll(directory, 0o755)); err != nil {
		return err
	}
	kept := filepath.Join(directory, filepath.Base(image))
	if err := linkOrCopy(ctx, say, image, kept); err != nil {
		return errors.Join(err, os.Remove(directory))
	}
	t.kept, t.keptDirectory = kept, directory
	var errs []error
	for _, file := range append([]string{manifest.Path(t.image)}, input.Files()...) {
		if filepath.Dir(file) == filepath.Dir(t.image) {
			errs = append(errs, linkIfThere(ctx, say, file, filepath.Join(directory, filepath.Base(file))))
		}
	}
	return errors.Join(errs...)
}

// letGo removes what was kept in case of a failure.
func (t *trial) letGo() error {
	if t.kept == "" {
		return nil
	}
	err := atomicfile.RemoveIfThere(serialLog(t.image))
	if t.keptDirectory == "" {
		return err
	}
	return errors.Join(err, os.RemoveAll(t.keptDirectory))
}

// withEvidence writes the report of a failed trial next to the kept image, and adds to err
// where it is and how to continue.
func (p *PostProcessor) withEvidence(err error, t *trial) error {
	if t.kept == "" {
		return err
	}
	t.report.Error = err.Error()
	_, reportErr := writeReports(t.kept, t.report)
	command, templateErr := p.writeTemplate(t)
	errs := errors.Join(reportErr, templateErr, t.recordFailure(), moveIfThere(serialLog(t.image), serialLog(t.kept)))
	if errs != nil {
		err = errors.Join(err, fmt.Errorf("the report could not be kept: %w", errs))
	}
	return fmt.Errorf("%w\nThe image, the report and the serial log are kept in %s%s", err, filepath.Dir(t.kept), command)
}

// recordFailure lets nobody publish what has failed. What failed before the machine ran says
// nothing about the image.
func (t *trial) recordFailure() error {
	if t.report.Started.IsZero() {
		return nil
	}
	err := t.record(t.kept)
	// What is kept may be the image itself. Otherwise Packer deletes the image, unless another
	// post-processor has proven it before.
	if _, statErr := os.Stat(t.image); statErr == nil && t.keptDirectory != "" {
		err = errors.Join(err, t.record(t.image))
	}
	return err
}

func moveIfThere(source, target string) error {
	if err := os.Rename(source, target); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// linkIfThere skips files that do not exist yet, and those that are kept already.
func linkIfThere(ctx context.Context, say func(string), source, target string) error {
	if _, err := os.Lstat(target); err == nil {
		return nil
	}
	if err := linkOrCopy(ctx, say, source, target); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

func linkOrCopy(ctx context.Context, say func(string), source, target string) error {
	return hardlink.OrCopy(ctx, source, target, progress.Lines("keep a copy of "+filepath.Base(source), 0, say))
}
