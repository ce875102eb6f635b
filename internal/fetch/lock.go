package fetch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

// lockCache keeps two builds from writing one file. The lock is on the directory
// itself, so that none is left behind however this process ends.
func (f *Fetcher) lockCache(ctx context.Context) (unlock func(), err error) {
	dir, err := os.Open(f.cacheDir)
	if err != nil {
		return nil, err
	}
	for waiting := false; ; waiting = true {
		err := syscall.Flock(int(dir.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { dir.Close() }, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			dir.Close()
			return nil, fmt.Errorf("lock %s: %w", f.cacheDir, err)
		}
		if !waiting {
			f.say(fmt.Sprintf("another build is downloading to %s: waiting for it", f.cacheDir))
		}
		if err := sleep(ctx, 500*time.Millisecond); err != nil {
			dir.Close()
			return nil, err
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
