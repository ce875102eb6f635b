package inspect

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/qemuimg"
)

// disk is the disk that a QCOW2 image presents to a guest.
type disk struct {
	qcow2 string
	// directory is where parts of the disk are extracted.
	directory string
	say       func(string)
}

const (
	// headSize is the maximum offset, in bytes, at which a partition table ends.
	headSize = 16 << 20
	// superblockEnd is the offset at which the superblock of an ext file system ends,
	// magicStart that of its magic number.
	superblockEnd = 2048
	magicStart    = 1024 + 56
)

// findRoot extracts the root file system: the ext2, ext3 or ext4 that contains /etc. There may
// be another one for /boot.
func (d disk) findRoot(ctx context.Context) (fileSystem, error) {
	parts, err := d.parts(ctx)
	if err != nil {
		return fileSystem{}, err
	}
	for _, part := range parts {
		start, err := d.read(ctx, qemuimg.Part{Start: part.Start, Size: min(part.Size, superblockEnd)})
		if err != nil {
			return fileSystem{}, err
		}
		if !isExt(start) {
			continue
		}
		root := fileSystem{d.directory}
		if err := qemuimg.ToRaw(ctx, d.qcow2, part, root.path(), d.say); err != nil {
			return fileSystem{}, err
		}
		found, err := root.hasEtc(ctx)
		if err != nil || found {
			return root, err
		}
	}
	return fileSystem{}, errors.New("none of its partitions holds an ext4 file system with /etc: only such images can be looked into")
}

// parts returns the partitions, or the whole disk if it is a single file system. A boot sector
// at the start of such a disk may look like an invalid partition table.
func (d disk) parts(ctx context.Context) ([]qemuimg.Part, error) {
	info, err := qemuimg.Inspect(d.qcow2)
	if err != nil {
		return nil, err
	}
	head, err := d.read(ctx, qemuimg.Part{Size: min(info.VirtualSize, headSize)})
	if err != nil {
		return nil, err
	}
	parts, err := readPartitions(bytes.NewReader(head), info.VirtualSize)
	if len(parts) == 0 && isExt(head) {
		return []qemuimg.Part{{Size: info.VirtualSize}}, nil
	}
	return parts, err
}

// read returns the content of a small part.
func (d disk) read(ctx context.Context, part qemuimg.Part) ([]byte, error) {
	path := filepath.Join(d.directory, "start.raw")
	if err := qemuimg.ToRaw(ctx, d.qcow2, part, path, func(string) {}); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
}

func (f fileSystem) hasEtc(ctx context.Context) (bool, error) {
	var top []entry
	err := f.debugfs(ctx, []string{fmt.Sprintf("ls -p <%d>", rootInode)}, func(_ int, r *bufio.Reader) (err error) {
		top, err = readListing(r)
		return err
	})
	return slices.ContainsFunc(top, func(e entry) bool { return e.name == "etc" }), err
}

// isExt checks for the magic number of ext2 and its successors.
func isExt(start []byte) bool {
	return len(start) >= superblockEnd && binary.LittleEndian.Uint16(start[magicStart:]) == 0xEF53
}
