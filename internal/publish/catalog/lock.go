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

// lockDeadline is longer than another run needs to copy the largest image.
const lockDeadline = time.Hour

// removedPause is how long to wait before retrying after another run removed the directory.
const removedPause = 100 * time.Millisecond

// acquire creates the catalog's directory and locks it. It waits for another run, and
// reports that it is waiting.
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
		// The other run removes the directory if it ends up empty.
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
