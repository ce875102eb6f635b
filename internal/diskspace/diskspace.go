// Package diskspace measures the free space of file systems.
package diskspace

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Free returns how many bytes an ordinary user may still write to the file system of path.
func Free(path string) (int64, error) {
	var stat unix.Statfs_t
	if err := unix.Statfs(path, &stat); err != nil {
		return 0, fmt.Errorf("read the free space of %s: %w", path, err)
	}
	return int64(stat.Bavail) * stat.Bsize, nil
}
