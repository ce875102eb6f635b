// Package hardlink gives an image a second name: as a hard link, which takes no time and no
// space, or as a copy where links are impossible (another file system, one without links, a
// file with another owner).
package hardlink

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/atomicfile"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/ctxio"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/progress"
)

// Partial is the suffix of a copy that is not complete yet.
const Partial = ".partial"

// OrCopy makes target a link to or a copy of the file at source, replacing an existing file.
// It appears complete or not at all. The meter shows the progress of a copy; nil shows
// nothing.
func OrCopy(ctx context.Context, source, target string, meter *progress.Meter) error {
	staged, err := Stage(ctx, source, target, meter)
	if err != nil {
		return err
	}
	err = os.Rename(staged, target)
	// Renaming one hard link to another of the same file does nothing.
	return errors.Join(err, atomicfile.RemoveIfThere(staged))
}

// Stage does all of OrCopy except the last step, and returns the temporary name beside target,
// which the caller must rename or remove.
func Stage(ctx context.Context, source, target string, meter *progress.Meter) (string, error) {
	// A hard link to a relative symbolic link would dangle.
	source, err := filepath.EvalSymlinks(source)
	if err != nil {
		return "", err
	}
	staged := target + Partial
	// Left by an earlier run that was killed.
	if err := atomicfile.RemoveIfThere(staged); err != nil {
		return "", err
	}
	linkErr := os.Link(source, staged)
	if linkErr == nil {
		return staged, nil
	}
	if err := copyFile(ctx, source, staged, meter); err != nil {
		return "", errors.Join(fmt.Errorf("no link (%w) and no copy: %w", linkErr, err), atomicfile.RemoveIfThere(staged))
	}
	return staged, nil
}

func copyFile(ctx context.Context, source, target string, meter *progress.Meter) error {
	in, err := os.Open(source)
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	out, err := os.OpenFile(target, os.O_CREATE|os.O_EXCL|os.O_WRONLY, info.Mode().Perm())
	if err != nil {
		return err
	}
	_, err = io.Copy(out, ctxio.Reader(ctx, meter.Reader(in)))
	if err == nil {
		err = out.Sync()
	}
	if err = errors.Join(err, out.Close()); err != nil {
		return err
	}
	meter.Finish()
	return nil
}
