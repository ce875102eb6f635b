package catalog

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/filelock"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/retry"
)

// lockDeadline is longer than another run takes to copy the largest image.
const lockDeadline = time.Hour

// removedPause is the pause after the directory was removed under the lock.
const removedPause = 100 * time.Millisecond

// acquire makes the directory of the catalog and takes its lock. It waits for another run
// and says so.
func acquire(ctx context.Context, dir string, say func(string)) (*filelock.Lock, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, lockDeadline, fmt.Errorf("it has not ended within %s", lockDeadline))
	defer cancel()
	for {
		if err := makeDir(dir); err != nil {
			return nil, err
		}
		lock, err := filelock.Wait(ctx, filepath.Join(dir, lockName), func(string) {
			say("waiting for another run that is publishing into " + dir)
		})
		// The other run removes a directory it has found no use for.
		if errors.Is(err, fs.ErrNotExist) {
			err = retry.Sleep(ctx, removedPause)
			if err == nil {
				continue
			}
		}
		if err != nil {
			return nil, fmt.Errorf("lock the catalog: %w", err)
		}
		return lock, nil
	}
}
