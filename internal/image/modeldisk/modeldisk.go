package modeldisk

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/qemuimg"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/progress"
)

// Weights is a file to put on the disk.
type Weights struct {
	// Name is that of the file on the disk, of letters, digits, dots, hyphens and underscores: debugfs
	// gives other characters a meaning.
	Name string
	Path string
	// SHA256 is in lower-case hexadecimal, Size in bytes.
	SHA256 string
	Size   int64
}

// Write creates the disk image target, which appears complete or not at all. Until then a raw
// copy lies beside target, which takes as much space again. The order of all does not matter.
func Write(ctx context.Context, all []Weights, target string, say func(string)) (err error) {
	directory, err := os.MkdirTemp(filepath.Dir(target), "model-disk-")
	if err != nil {
		return fmt.Errorf("make the model disk: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(directory)) }()
	fs := fileSystem{directory: directory, weights: byName(all)}
	if err := fs.prepare(); err != nil {
		return fmt.Errorf("make the model disk: %w", err)
	}
	if err := fs.format(ctx); err != nil {
		return fmt.Errorf("make the file system of the model disk: %w", err)
	}
	meter := progress.Lines("copy the weights to their disk", fs.size(), say)
	if err := fs.fill(ctx, meter); err != nil {
		return fmt.Errorf("copy the weights to the model disk: %w", err)
	}
	meter.Finish()
	if err := fs.check(ctx); err != nil {
		return fmt.Errorf("check the model disk: %w", err)
	}
	return qemuimg.FromRaw(ctx, fs.image(), target, say)
}

// Content identifies what Write puts on a disk, in 64 hexadecimal digits: with a single file its
// SHA-256, so that the disk of a model is called after the model.
func Content(all []Weights) string {
	if len(all) == 1 {
		return all[0].SHA256
	}
	sum := sha256.New()
	for _, w := range byName(all) {
		fmt.Fprintf(sum, "%s  %s\n", w.SHA256, w.Name)
	}
	return hex.EncodeToString(sum.Sum(nil))
}

func byName(all []Weights) []Weights {
	return slices.SortedFunc(slices.Values(all), func(a, b Weights) int { return cmp.Compare(a.Name, b.Name) })
}

// size is that of all files, in bytes.
func (f fileSystem) size() int64 {
	var size int64
	for _, w := range f.weights {
		size += w.Size
	}
	return size
}

// imageSize leaves room for ext4's own data: bitmaps, the inode table, the extent tree, and
// copies of the group descriptors, 0.02 % in all. Unused space takes no room in the image.
func (f fileSystem) imageSize() int64 {
	const (
		mebibyte = 1 << 20
		fixed    = 8 * mebibyte
	)
	size := f.size() + f.size()/512 + fixed
	return (size + mebibyte - 1) / mebibyte * mebibyte
}

// uuid is derived from the content: the same weights give the same disk.
func (f fileSystem) uuid() string {
	d := Content(f.weights)
	return fmt.Sprintf("%s-%s-%s-%s-%s", d[0:8], d[8:12], d[12:16], d[16:20], d[20:32])
}
