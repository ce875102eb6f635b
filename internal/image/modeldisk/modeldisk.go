package modeldisk

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/qemuimg"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/progress"
)

// Weights is the file to put on the disk.
type Weights struct {
	Path string
	// SHA256 is in lower-case hexadecimal, Size in bytes.
	SHA256 string
	Size   int64
}

// Write creates the disk image target, which appears complete or not at all. Until then a raw
// copy lies beside target, which takes as much space again.
func Write(ctx context.Context, w Weights, target string, say func(string)) (err error) {
	directory, err := os.MkdirTemp(filepath.Dir(target), "model-disk-")
	if err != nil {
		return fmt.Errorf("make the model disk: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(directory)) }()
	fs := fileSystem{directory: directory, weights: w}
	if err := fs.prepare(); err != nil {
		return fmt.Errorf("make the model disk: %w", err)
	}
	if err := fs.format(ctx); err != nil {
		return fmt.Errorf("make the file system of the model disk: %w", err)
	}
	meter := progress.Lines("copy the weights to their disk", w.Size, say)
	if err := fs.fill(ctx, meter); err != nil {
		return fmt.Errorf("copy %s to the model disk: %w", w.Path, err)
	}
	meter.Finish()
	if err := fs.check(ctx); err != nil {
		return fmt.Errorf("check the model disk: %w", err)
	}
	return qemuimg.FromRaw(ctx, fs.image(), target, say)
}

// imageSize leaves room for ext4's own data: bitmaps, the inode table, the extent tree, and
// copies of the group descriptors, 0.02 % in all. Unused space takes no room in the image.
func (w Weights) imageSize() int64 {
	const (
		mebibyte = 1 << 20
		fixed    = 8 * mebibyte
	)
	size := w.Size + w.Size/512 + fixed
	return (size + mebibyte - 1) / mebibyte * mebibyte
}

// uuid is derived from the digest: the same weights give the same disk.
func (w Weights) uuid() string {
	d := w.SHA256
	return fmt.Sprintf("%s-%s-%s-%s-%s", d[0:8], d[8:12], d[12:16], d[16:20], d[20:32])
}

// fileName is the name of the weights on the disk.
const fileName = appliance.ModelFile
