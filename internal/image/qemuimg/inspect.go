package qemuimg

import (
	"context"
	"fmt"
	"os"
)

// Inspect reads the header of an image itself: qemu-img opens the files that an image refers
// to, and what it takes for an image of another format.
func Inspect(path string) (Info, error) {
	file, err := os.Open(path)
	if err != nil {
		return Info{}, fmt.Errorf("inspect image: %w", err)
	}
	defer file.Close()
	status, err := file.Stat()
	if err != nil {
		return Info{}, fmt.Errorf("inspect image: %w", err)
	}
	if status.IsDir() {
		return Info{}, fmt.Errorf("inspect image: %s is a directory, not a disk image", path)
	}
	info, err := readInfo(file)
	if err != nil {
		return Info{}, fmt.Errorf("inspect image %s: %w", path, err)
	}
	return info, nil
}

// InspectStandalone is Inspect, and refuses an image that is not Standalone.
func InspectStandalone(path string) (Info, error) {
	info, err := Inspect(path)
	if err != nil {
		return Info{}, err
	}
	if err := info.Standalone(); err != nil {
		return Info{}, fmt.Errorf("the image %s: %w", path, err)
	}
	return info, nil
}

// Check verifies all metadata of a standalone QCOW2 image and reports damage. It is the only
// way to notice that a file was truncated: everything else reads the missing part as zeros.
func Check(ctx context.Context, path string) error {
	if _, err := InspectStandalone(path); err != nil {
		return err
	}
	return check(ctx, path)
}

// check is Check for an image of ours, which may be an overlay.
func check(ctx context.Context, path string) error {
	absolute, err := plain(path)
	if err != nil {
		return err
	}
	err = run(ctx, nil, "check", "-f", Format, absolute)
	switch exitStatus(err) {
	// The statuses are those of qemu-img(1).
	case 2:
		return fmt.Errorf("check image %s: it is damaged; build or copy it again: %w", path, err)
	case 3:
		return fmt.Errorf("check image %s: it has leaked clusters; \"qemu-img check -r leaks\" frees them: %w", path, err)
	}
	if err != nil {
		return fmt.Errorf("check image %s: %w", path, err)
	}
	return nil
}
