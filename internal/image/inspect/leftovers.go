package inspect

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/progress"
)

// mostLeftovers is how many bytes a trim may leave: it frees only whole clusters of the image,
// and the shutdown after it writes a little.
const mostLeftovers = 64 << 20

// inspectBlocks finds a file system that was not unmounted, and deleted files in free blocks.
func inspectBlocks(ctx context.Context, i image) ([]finding, error) {
	u, err := i.root.usage(ctx)
	if err != nil {
		return nil, err
	}
	if !u.clean {
		// Its list of free blocks may be wrong in that case.
		return []finding{{[]string{"/"}, "the file system was not unmounted in order", "let the machine shut down by itself"}}, nil
	}
	left, err := i.root.leftovers(ctx, u)
	if err != nil {
		return nil, err
	}
	what := fmt.Sprintf("%s of deleted files are left in free blocks (private keys among them: %d)", progress.Bytes(left.bytes), left.keys)
	i.say(what)
	if left.bytes <= mostLeftovers {
		return nil, nil
	}
	return []finding{{[]string{"/"}, what, "trim the free space with \"fstrim -a\" at the end, on a disk that is attached with discard=unmap"}}, nil
}

// leftovers describes the content of free blocks: deleted data, which also takes space in the
// image.
type leftovers struct {
	// bytes is the total size of the free blocks that are not all zero.
	bytes int64
	// keys is the number of these blocks in which a private key begins.
	keys int
}

// leftovers scans the free blocks of the file system.
func (f fileSystem) leftovers(ctx context.Context, u usage) (leftovers, error) {
	file, err := os.Open(f.path())
	if err != nil {
		return leftovers{}, fmt.Errorf("read the free blocks: %w", err)
	}
	defer file.Close()
	var found leftovers
	for _, e := range u.free {
		if ctx.Err() != nil {
			return leftovers{}, context.Cause(ctx)
		}
		if err := found.read(file, e.first*u.blockSize, (e.last+1)*u.blockSize, u.blockSize); err != nil {
			return leftovers{}, fmt.Errorf("read the free blocks: %w", err)
		}
	}
	return found, nil
}

// read scans the blocks between start and end. It skips holes, which are nearly everything.
func (l *leftovers) read(file *os.File, start, end, blockSize int64) error {
	block, zeros := make([]byte, blockSize), make([]byte, blockSize)
	for at := start; at < end; at += blockSize {
		data, err := unix.Seek(int(file.Fd()), at, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) || err == nil && data >= end {
			return nil
		}
		if err != nil {
			return err
		}
		at += (data - at) / blockSize * blockSize
		if _, err := file.ReadAt(block, at); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if bytes.Equal(block, zeros) {
			continue
		}
		l.bytes += blockSize
		if keyPattern.Match(block) {
			l.keys++
		}
	}
	return nil
}
