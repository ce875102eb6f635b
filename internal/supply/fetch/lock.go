package fetch

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/filelock"
)

// lock prevents two builds from downloading the same payload at once; the second one waits,
// and then finds the file in the cache.
func (f *Fetcher) lock(ctx context.Context, p Payload) (*filelock.Lock, error) {
	lock, err := filelock.Wait(ctx, filepath.Join(f.cacheDir, p.name()+".lock"), func(holder string) {
		f.say(fmt.Sprintf("%s: %s is downloading %s to %s: waiting for it", p.Field, holder, p.base(), f.cacheDir))
	})
	if err != nil {
		return nil, fmt.Errorf("download %s: %w", p.shown(), err)
	}
	return lock, nil
}
