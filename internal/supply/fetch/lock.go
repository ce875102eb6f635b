package fetch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// lock keeps two builds from downloading one payload at once; the second waits, and
// finds what the first brought. However a process ends, its lock ends with it.
func (f *Fetcher) lock(ctx context.Context, p Payload) (unlock func(), err error) {
	path := filepath.Join(f.cacheDir, p.name()+".lock")
	for waiting := false; ; waiting = true {
		file, holder, err := tryLock(path)
		if err != nil {
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		if file != nil {
			return func() {
				os.Remove(path)
				file.Close()
			}, nil
		}
		if !waiting {
			f.say(fmt.Sprintf("%s: %s is downloading %s to %s: waiting for it", p.Field, holder, p.base(), f.cacheDir))
		}
		if err := sleep(ctx, 200*time.Millisecond); err != nil {
			return nil, fmt.Errorf("waiting for %s, which downloads the same file, stopped: %w", holder, err)
		}
	}
}

// tryLock returns the locked file, or else who holds the lock.
func tryLock(path string) (file *os.File, holder string, err error) {
	file, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, "", err
	}
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		defer file.Close()
		return nil, holderOf(file), nil
	}
	// The holder removes the file when it is done: a lock on a removed file locks nothing.
	if err == nil && !isAt(file, path) {
		file.Close()
		return tryLock(path)
	}
	if err == nil {
		err = file.Truncate(0)
	}
	if err == nil {
		_, err = fmt.Fprintf(file, "%d\n", os.Getpid())
	}
	if err != nil {
		file.Close()
		return nil, "", err
	}
	return file, "", nil
}

func isAt(file *os.File, path string) bool {
	ours, err := file.Stat()
	if err != nil {
		return false
	}
	there, err := os.Stat(path)
	return err == nil && os.SameFile(ours, there)
}

func holderOf(file *os.File) string {
	content := make([]byte, 32)
	n, _ := file.ReadAt(content, 0)
	pid, err := strconv.Atoi(string(bytes.TrimSpace(content[:n])))
	if err != nil {
		return "another build"
	}
	return fmt.Sprintf("process %d", pid)
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}
