// Package imageinspect proves that a finished image may be published: that nothing of the
// machine it was made on is left in it, and that what makes it an appliance is there. It
// reads the image without booting, mounting or changing it, and needs no root.
package imageinspect

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/progress"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/qemuimg"
)

// Inspect returns nil, or one error that lists everything in the QCOW2 image that must not
// be there, and everything that is missing. A raw copy of the disk is made in a directory
// of its own below workDir, and removed again; it takes as much room as the files on it.
func Inspect(ctx context.Context, qcow2 string, workDir string, say func(string)) (err error) {
	if err := Available(); err != nil {
		return fmt.Errorf("inspect %s: %w", qcow2, err)
	}
	directory, err := os.MkdirTemp(workDir, "inspect-")
	if err != nil {
		return fmt.Errorf("inspect %s: %w", qcow2, err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(directory)) }()
	if err := unpack(ctx, qcow2, directory, say); err != nil {
		return fmt.Errorf("inspect %s: %w", qcow2, err)
	}
	findings, err := inspectDisk(ctx, directory, say)
	if err != nil {
		return fmt.Errorf("inspect %s: %w", qcow2, err)
	}
	return verdict(qcow2, findings)
}

// unpack makes the raw copy, if there is room for it.
func unpack(ctx context.Context, qcow2, directory string, say func(string)) error {
	// What is missing at the end of a file that was cut short would be read as zeros.
	if err := qemuimg.Check(ctx, qcow2); err != nil {
		return err
	}
	need, err := qemuimg.DataSize(ctx, qcow2)
	if err != nil {
		return err
	}
	var fs unix.Statfs_t
	if err := unix.Statfs(directory, &fs); err != nil {
		return fmt.Errorf("read the free space of %s: %w", directory, err)
	}
	if err := checkRoom(need, int64(fs.Bavail)*fs.Bsize, filepath.Dir(directory)); err != nil {
		return err
	}
	return qemuimg.ToRaw(ctx, qcow2, filepath.Join(directory, diskName), say)
}

func checkRoom(need, free int64, directory string) error {
	if free >= need {
		return nil
	}
	return fmt.Errorf("a raw copy takes %s, and %s has %s free: free some space, or build on another disk",
		progress.Bytes(need), directory, progress.Bytes(free))
}

// image is a raw disk and what is known of it.
type image struct {
	root fileSystem
	disk *os.File
	tree tree
	say  func(string)
}

// inspectDisk reads the raw disk in directory.
func inspectDisk(ctx context.Context, directory string, say func(string)) ([]finding, error) {
	disk, err := os.Open(filepath.Join(directory, diskName))
	if err != nil {
		return nil, err
	}
	defer disk.Close()
	root, err := findRoot(ctx, disk, directory)
	if err != nil {
		return nil, err
	}
	t, err := root.load(ctx)
	if err != nil {
		return nil, err
	}
	if !t.has("/etc/os-release") {
		return nil, errors.New("its root file system has no /etc/os-release, so it is not that of a Linux system")
	}
	findings := inspectTree(t)
	for _, check := range []func(context.Context, image) ([]finding, error){inspectBlocks, inspectPayload} {
		found, err := check(ctx, image{root, disk, t, say})
		if err != nil {
			return nil, err
		}
		findings = append(findings, found...)
	}
	return findings, nil
}
