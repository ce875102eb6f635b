package builder

import (
	"context"
	"fmt"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/progress"
)

const (
	// spareSpace is where a build gives up, before it takes the last of a disk that
	// others use too.
	spareSpace = 256 << 20
	// spaceInterval is short against the time a virtual disk needs to grow by that much.
	spaceInterval = time.Second
)

// guardSpace returns a context that ends, with the reason, when the file system of
// directory is nearly full. QEMU would only pause the machine then, without a word, until
// some time-out blames the network.
func guardSpace(ctx context.Context, directory string, free func(string) (int64, error)) (context.Context, context.CancelFunc) {
	guarded, cancel := context.WithCancelCause(ctx)
	go func() {
		ticker := time.NewTicker(spaceInterval)
		defer ticker.Stop()
		for {
			if left, err := free(directory); err == nil && left < spareSpace {
				cancel(fmt.Errorf("output_directory: the file system of %s is full (%s left); free some space, or choose another directory",
					directory, progress.Bytes(left)))
				return
			}
			select {
			case <-guarded.Done():
				return
			case <-ticker.C:
			}
		}
	}()
	return guarded, func() { cancel(nil) }
}
