// Package diskspace measures the free space of file systems.
package diskspace

import (
	"fmt"
	"math"
	"math/bits"

	"golang.org/x/sys/unix"
)

// Reserve is how many bytes downloads, and what is unpacked of them, leave free for everything else
// on the disk.
const Reserve = 256 << 20

// Free returns how many bytes an ordinary user may still write to the file system of path.
func Free(path string) (int64, error) {
	var stat unix.Statfs_t
	if err := unix.Statfs(path, &stat); err != nil {
		return 0, fmt.Errorf("read the free space of %s: %w", path, err)
	}
	return product(stat.Bavail, uint64(stat.Bsize)), nil
}

// product is the largest int64 where the product is larger: network file systems that know no
// limit state impossible numbers of blocks.
func product(blocks, size uint64) int64 {
	high, low := bits.Mul64(blocks, size)
	if high != 0 || low > math.MaxInt64 {
		return math.MaxInt64
	}
	return int64(low)
}
