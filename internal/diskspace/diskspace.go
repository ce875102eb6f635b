// Package diskspace says how much a file system still takes.
package diskspace

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Free is what an ordinary user may still write to the file system of path, in bytes.
func Free(path string) (int64, error) {
	var stat unix.Statfs_t
	if err := unix.Statfs(path, &stat); err != nil {
		return 0, fmt.Errorf("read the free space of %s: %w", path, err)
	}
	return int64(stat.Bavail) * stat.Bsize, nil
}
