// Package hardlink gives an image a second name: as a hard link, which takes no time and no
// space, or as a copy where links are impossible (another file system, one without links,
// a file of another owner).
package hardlink

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/ctxio"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/progress"
)

// Partial ends the name of a copy that is not whole yet.
const Partial = ".partial"

// OrCopy makes target the file at source, in place of what was there. It appears whole or
// not at all. The meter shows a copy; nil shows nothing.
func OrCopy(ctx context.Context, source, target string, meter *progress.Meter) error {
	staged, err := Stage(ctx, source, target, meter)
	if err != nil {
		return err
	}
	err = os.Rename(staged, target)
	// A rename between two names of one file does nothing.
	return errors.Join(err, removeIfThere(staged))
}

// Stage does all of OrCopy but the last step, and returns the name beside target that is
// left to be renamed or removed.
func Stage(ctx context.Context, source, target string, meter *progress.Meter) (string, error) {
	// A link to a symbolic link would point to nowhere.
	source, err := filepath.EvalSymlinks(source)
	if err != nil {
		return "", err
	}
	staged := target + Partial
	// What an earlier run left when it was killed.
	if err := removeIfThere(staged); err != nil {
		return "", err
	}
	linkErr := os.Link(source, staged)
	if linkErr == nil {
		return staged, nil
	}
	if err := copyFile(ctx, source, staged, meter); err != nil {
		return "", errors.Join(fmt.Errorf("no link (%w) and no copy: %w", linkErr, err), removeIfThere(staged))
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

func removeIfThere(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
