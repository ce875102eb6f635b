package fetch

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/diskspace"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/progress"
)

// checkEvery is how many bytes are received between two looks at the free space.
const checkEvery = 16 << 20

// noRoomError marks the refusal of a download that would use the reserve.
type noRoomError struct{ error }

// checkSpace refuses a download for whose missing bytes, as far as their number is known, there
// is not enough space.
func (f *Fetcher) checkSpace(p Payload, d *part) error {
	free, err := f.free(f.cacheDir)
	if err != nil {
		return err
	}
	missing := max(d.Size-d.here, 0)
	if free-diskspace.Reserve >= missing {
		return nil
	}
	needs := progress.Bytes(missing)
	if d.Size == 0 {
		needs = "more room"
	}
	return noRoomError{fmt.Errorf("%s needs %s in %s, which has %s free, and %s of them stay reserved%s: make room there, or set PACKER_CACHE_DIR to a larger disk",
		p.base(), needs, f.cacheDir, progress.Bytes(free), progress.Bytes(diskspace.Reserve), d.kept(p))}
}

// roomWriter looks at the free space as a part grows: others write to the same disk, and not
// every server says how long its file is.
type roomWriter struct {
	part  *part
	check func() error
	// unchecked is how many bytes were written since the last look.
	unchecked int
}

func (w *roomWriter) Write(b []byte) (int, error) {
	if w.unchecked += len(b); w.unchecked >= checkEvery {
		w.unchecked = 0
		if err := w.check(); err != nil {
			return 0, err
		}
	}
	return w.part.Write(b)
}

// isFull reports whether a disk or a quota is full, or the file system does not allow a larger
// file (FAT).
func isFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG)
}

// full explains that the disk filled up in spite of checkSpace, and what to do.
func (d *part) full(p Payload, err error) error {
	return fmt.Errorf("receive %s: %w%s: make room, or set PACKER_CACHE_DIR to a larger disk; the next build continues where this one stopped",
		p.base(), err, d.kept(p))
}
