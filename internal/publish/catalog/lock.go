package catalog

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// lockDeadline is longer than another run takes to copy the largest image.
	lockDeadline = time.Hour
	lockPoll     = 200 * time.Millisecond
)

// lockFile makes a second run wait for the first. The kernel drops the lock when its
// owner ends in whatever way, so a file left behind by a killed run holds up nobody.
type lockFile struct {
	file *os.File
}

// acquire makes the directory of path and takes the lock. It waits for another run and
// says so once.
func acquire(ctx context.Context, path string, say func(string)) (*lockFile, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, lockDeadline, fmt.Errorf("another run has held %s for %s", path, lockDeadline))
	defer cancel()
	for waiting := false; ; waiting = true {
		lock, err := tryLock(path)
		if lock != nil || err != nil {
			return lock, err
		}
		if !waiting {
			say("waiting for another run that is publishing into " + filepath.Dir(path))
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for another run that is publishing into %s: %w", filepath.Dir(path), context.Cause(ctx))
		case <-time.After(lockPoll):
		}
	}
}

// tryLock returns nil and no error when another run holds the lock.
func tryLock(path string) (*lockFile, error) {
	if err := makeDir(filepath.Dir(path)); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil // The owner has just removed the directory it found no use for.
	}
	if err != nil {
		return nil, fmt.Errorf("lock the catalog: %w", err)
	}
	err = unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err == nil && isStillAt(file, path) {
		return &lockFile{file}, nil
	}
	if err == nil || errors.Is(err, unix.EWOULDBLOCK) {
		return nil, file.Close()
	}
	return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), file.Close())
}

// isStillAt tells whether the file that was locked is the one others will open: its last
// owner removes it.
func isStillAt(file *os.File, path string) bool {
	locked, err := file.Stat()
	if err != nil {
		return false
	}
	present, err := os.Stat(path)
	return err == nil && os.SameFile(locked, present)
}

// release removes the file while the lock is held, so that nobody's lock is removed.
func (l *lockFile) release() error {
	return errors.Join(os.Remove(l.file.Name()), l.file.Close())
}
