package imageinspect

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"
)

// findRoot finds the root file system among the partitions of the disk: the ext2, ext3 or
// ext4 that holds /etc. /boot may be one too.
func findRoot(ctx context.Context, disk *os.File, directory string) (fileSystem, error) {
	status, err := disk.Stat()
	if err != nil {
		return fileSystem{}, err
	}
	partitions, err := readPartitions(disk, status.Size())
	if err != nil {
		return fileSystem{}, err
	}
	for _, p := range partitions {
		if !isExt(disk, p) {
			continue
		}
		found := fileSystem{directory, p.start}
		var top []entry
		err := found.debugfs(ctx, []string{fmt.Sprintf("ls -p <%d>", rootInode)}, func(_ int, r *bufio.Reader) error {
			top, err = readListing(r)
			return err
		})
		if err != nil {
			return fileSystem{}, err
		}
		if slices.ContainsFunc(top, func(e entry) bool { return e.name == "etc" }) {
			return found, nil
		}
	}
	return fileSystem{}, errors.New("none of its partitions holds an ext4 file system with /etc: only such images can be looked into")
}

// isExt looks for the magic number of ext2 and its successors, which is at byte 56 of the
// superblock, which is at byte 1024.
func isExt(disk *os.File, p partition) bool {
	magic := make([]byte, 2)
	_, err := disk.ReadAt(magic, p.start+1024+56)
	return err == nil && binary.LittleEndian.Uint16(magic) == 0xEF53
}
