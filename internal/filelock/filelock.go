// Package filelock prevents two processes on one machine from doing the same thing at once.
// The kernel releases a lock when its process ends, however it ends.
package filelock

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/gofrs/flock"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/retry"
)

// poll is the pause between two attempts to take a lock that another process holds.
const poll = 100 * time.Millisecond

// ErrHeld is returned if another process holds the lock.
var ErrHeld = errors.New("another process holds the lock")

// Lock is a lock that this process holds.
type Lock struct{ file *flock.Flock }

// Try takes the lock at path, a file created for it. It does not wait: the error is ErrHeld if
// another process has the lock.
func Try(path string) (*Lock, error) {
	for {
		lock, err := try(path, os.O_CREATE|os.O_RDWR)
		if err != nil {
			return nil, err
		}
		// The holder removes the file when it is done: a lock on a removed file excludes
		// nobody.
		if !lock.isAtItsPath() {
			_ = lock.file.Close()
			continue
		}
		// For the message of a waiting process; the lock works even if the disk is full.
		_ = os.WriteFile(path, fmt.Appendln(nil, os.Getpid()), 0o600)
		return lock, nil
	}
}

// TryDirectory takes the lock of an existing directory. Release does not remove the directory.
func TryDirectory(path string) (*Lock, error) { return try(path, os.O_RDONLY) }

func try(path string, flag int) (*Lock, error) {
	file := flock.New(path, flock.SetFlag(flag), flock.SetPermissions(0o600))
	locked, err := file.TryLock()
	switch {
	case err != nil:
		return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), file.Close())
	case !locked:
		return nil, errors.Join(ErrHeld, file.Close())
	}
	return &Lock{file}, nil
}

// Wait is Try, but waits while another process has the lock. In that case held is called once
// with the holder.
func Wait(ctx context.Context, path string, held func(holder string)) (*Lock, error) {
	return wait(ctx, path, Try, held)
}

// WaitDirectory is TryDirectory, but waits while another process has the lock. It writes
// nothing, so it works on a full or read-only disk.
func WaitDirectory(ctx context.Context, path string) (*Lock, error) {
	return wait(ctx, path, TryDirectory, func(string) {})
}

func wait(ctx context.Context, path string, try func(string) (*Lock, error), held func(holder string)) (*Lock, error) {
	for waiting := false; ; waiting = true {
		lock, err := try(path)
		if !errors.Is(err, ErrHeld) {
			return lock, err
		}
		holder := holderOf(path)
		if !waiting {
			held(holder)
		}
		if err := retry.Sleep(ctx, poll); err != nil {
			return nil, fmt.Errorf("wait for %s, which holds %s: %w", holder, path, err)
		}
	}
}

// Release releases the lock and removes its file.
func (l *Lock) Release() error {
	info, err := l.file.Stat()
	if err == nil && !info.IsDir() {
		err = os.Remove(l.file.Path())
	}
	return errors.Join(err, l.file.Close())
}

func (l *Lock) isAtItsPath() bool {
	ours, err := l.file.Stat()
	if err != nil {
		return false
	}
	there, err := os.Stat(l.file.Path())
	return err == nil && os.SameFile(ours, there)
}

// holderOf describes the process that wrote its id into the file.
func holderOf(path string) string {
	content, err := os.ReadFile(path)
	if id, errParse := strconv.Atoi(string(bytes.TrimSpace(content))); err == nil && errParse == nil {
		return fmt.Sprintf("process %d", id)
	}
	return "another process"
}
