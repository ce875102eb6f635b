// Package inspect checks that a finished image may be published: that nothing of the build
// machine is left in it, and that everything that makes it an appliance is there. It reads the
// image without booting, mounting or changing it, and does not need root.
package inspect

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/diskspace"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/qemuimg"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/progress"
)

// Inspect returns nil, or one error that lists everything in the QCOW2 image that must not be
// there, and everything that is missing. It writes a raw copy of the root file system to a
// temporary directory in workDir and removes it again; the copy takes as much space as the
// files in it.
func Inspect(ctx context.Context, qcow2 string, workDir string, say func(string)) (err error) {
	if err := Available(); err != nil {
		return fmt.Errorf("inspect %s: %w", qcow2, err)
	}
	directory, err := os.MkdirTemp(workDir, "inspect-")
	if err != nil {
		return fmt.Errorf("inspect %s: %w", qcow2, err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(directory)) }()
	if err := checkImage(ctx, qcow2, directory); err != nil {
		return fmt.Errorf("inspect %s: %w", qcow2, err)
	}
	root, err := disk{qcow2, directory, say}.findRoot(ctx)
	if err != nil {
		return fmt.Errorf("inspect %s: %w", qcow2, err)
	}
	findings, err := inspectRoot(ctx, root, say)
	if err != nil {
		return fmt.Errorf("inspect %s: %w", qcow2, err)
	}
	return verdict(qcow2, findings)
}

// checkImage checks that the image is complete, and that there is space for a raw copy of it.
func checkImage(ctx context.Context, qcow2, directory string) error {
	// Anything missing from a truncated file would be read as zeros.
	if err := qemuimg.Check(ctx, qcow2); err != nil {
		return err
	}
	need, err := qemuimg.DataSize(ctx, qcow2)
	if err != nil {
		return err
	}
	free, err := diskspace.Free(directory)
	if err != nil {
		return err
	}
	return checkRoom(need, free, filepath.Dir(directory))
}

func checkRoom(need, free int64, directory string) error {
	if free >= need {
		return nil
	}
	return fmt.Errorf("a raw copy takes %s, and %s has %s free: free some space, or build on another disk",
		progress.Bytes(need), directory, progress.Bytes(free))
}

// image is the root file system of an image and what is known about it.
type image struct {
	root fileSystem
	tree tree
	say  func(string)
}

func inspectRoot(ctx context.Context, root fileSystem, say func(string)) ([]finding, error) {
	t, err := root.load(ctx)
	if err != nil {
		return nil, err
	}
	if !t.has("/etc/os-release") {
		return nil, errors.New("its root file system has no /etc/os-release, so it is not that of a Linux system")
	}
	findings := inspectTree(t)
	for _, check := range []func(context.Context, image) ([]finding, error){inspectBlocks, inspectPayload} {
		found, err := check(ctx, image{root, t, say})
		if err != nil {
			return nil, err
		}
		findings = append(findings, found...)
	}
	return findings, nil
}
