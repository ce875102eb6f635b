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

// Weights are the file that goes on the disk.
type Weights struct {
	Path string
	// SHA256 is in lower-case hexadecimal, Size in bytes.
	SHA256 string
	Size   int64
}

// Write makes the image target of the disk; it is in its place complete or not at all. While
// it works, a raw copy lies beside target, which takes as much room again.
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

// imageSize leaves room for what ext4 needs besides the file: bitmaps, the inode table, the
// tree of extents, and copies of the group descriptors, a fiftieth of a percent in all. What
// is left over takes no room in the image.
func (w Weights) imageSize() int64 {
	const (
		mebibyte = 1 << 20
		fixed    = 8 * mebibyte
	)
	size := w.Size + w.Size/512 + fixed
	return (size + mebibyte - 1) / mebibyte * mebibyte
}

// uuid is made from the digest: the same weights give the same disk.
func (w Weights) uuid() string {
	d := w.SHA256
	return fmt.Sprintf("%s-%s-%s-%s-%s", d[0:8], d[8:12], d[12:16], d[16:20], d[20:32])
}

// fileName is that of the weights on the disk.
const fileName = appliance.ModelFile
