package inspect

import (
	"context"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/hostprogram"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/qemuimg"
)

// TryOut inspects a small image, to check that the tools Inspect uses work here.
func TryOut(ctx context.Context, directory string) error {
	image, err := sample(ctx, directory)
	if err == nil {
		err = readSample(ctx, image, directory)
	}
	if err != nil {
		return hostprogram.Failed(ctx, "looking into an image", err, "dumpe2fs", "-V", distributionPackage)
	}
	return nil
}

const (
	samplePath = "/etc/os-release"
	sampleText = "ID=sample\n"
)

// samplePart is small, but large enough for an ext4 with a journal.
var samplePart = qemuimg.Part{Start: 1 << 20, Size: 8 << 20}

// sample creates an image whose root file system is in a partition and contains one file.
func sample(ctx context.Context, directory string) (image string, err error) {
	tree, root := filepath.Join(directory, "tree"), fileSystem{directory}
	raw, image := filepath.Join(directory, "sample.raw"), filepath.Join(directory, "sample.qcow2")
	if err := os.MkdirAll(filepath.Join(tree, filepath.Dir(samplePath)), 0o755); err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(tree, samplePath), []byte(sampleText), 0o644); err != nil {
		return "", err
	}
	if err := root.make(ctx, tree, samplePart.Size); err != nil {
		return "", err
	}
	content, err := os.ReadFile(root.path())
	if err != nil {
		return "", err
	}
	disk := make([]byte, samplePart.Start+samplePart.Size)
	copy(disk, mbr(linuxType, samplePart))
	copy(disk[samplePart.Start:], content)
	if err := os.WriteFile(raw, disk, 0o600); err != nil {
		return "", err
	}
	return image, qemuimg.FromRaw(ctx, raw, image, func(string) {})
}

func readSample(ctx context.Context, image, directory string) error {
	root, err := disk{image, directory, func(string) {}}.findRoot(ctx)
	if err != nil {
		return err
	}
	t, err := root.load(ctx)
	if err != nil {
		return err
	}
	u, err := root.usage(ctx)
	if err != nil {
		return err
	}
	if t.content[samplePath] != sampleText || !u.clean || len(u.free) == 0 {
		return errors.New("what is read from it is not what was written")
	}
	return nil
}

// make creates a file system of the given size that contains a tree.
func (f fileSystem) make(ctx context.Context, tree string, size int64) error {
	if err := os.WriteFile(f.path(), nil, 0o600); err != nil {
		return err
	}
	if err := os.Truncate(f.path(), size); err != nil {
		return err
	}
	_, err := f.output(ctx, "mke2fs", "-q", "-F", "-t", "ext4", "-d", tree)
	return err
}

// mbr returns the first sector of a disk with these partitions.
func mbr(kind byte, partitions ...qemuimg.Part) []byte {
	sector := make([]byte, sectorSize)
	for n, p := range partitions {
		entry := sector[446+16*n:]
		entry[4] = kind
		binary.LittleEndian.PutUint32(entry[8:], uint32(p.Start/sectorSize))
		binary.LittleEndian.PutUint32(entry[12:], uint32(p.Size/sectorSize))
	}
	sector[510], sector[511] = 0x55, 0xAA
	return sector
}
