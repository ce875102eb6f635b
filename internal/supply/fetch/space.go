package fetch

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/progress"
)

// reserve is how many bytes to leave free for everything else on the disk.
const reserve = 256 << 20

// checkSpace refuses, before it begins, a download for which there is not enough space.
func (f *Fetcher) checkSpace(p Payload, d *part) error {
	if d.Size == 0 {
		return nil
	}
	free, err := f.free(f.cacheDir)
	if err != nil {
		return err
	}
	if missing := d.Size - d.here; free < missing+reserve {
		return fmt.Errorf("%s needs %s in %s, which has %s free, and %s of them stay reserved: make room there, or set PACKER_CACHE_DIR to a larger disk",
			p.base(), progress.Bytes(missing), f.cacheDir, progress.Bytes(free), progress.Bytes(reserve))
	}
	return nil
}

// isFull reports whether a disk or a quota is full, or the file system does not allow a larger
// file (FAT).
func isFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG)
}

// full explains that the disk filled up in spite of checkSpace, and what to do.
func (d *part) full(p Payload, err error) error {
	return fmt.Errorf("receive %s: %w%s: make room, or set PACKER_CACHE_DIR to a larger disk; the next build continues where this one stopped",
		p.base(), err, d.kept())
}
