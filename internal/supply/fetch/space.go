package fetch

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/progress"
)

// reserve stays free for everything else on the disk, in bytes.
const reserve = 256 << 20

// checkSpace refuses a download that cannot end well, before it begins.
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

// isFull is true for a disk, a quota, or a file system that takes no larger file (FAT).
func isFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG)
}

// full tells what a download needs that found the disk full all the same.
func (d *part) full(p Payload, err error) error {
	return fmt.Errorf("receive %s: %w%s: make room, or set PACKER_CACHE_DIR to a larger disk; the next build continues where this one stopped",
		p.base(), err, d.kept())
}
