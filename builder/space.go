package builder

import (
	"context"
	"fmt"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/progress"
)

const (
	// spareSpace is the free space, in bytes, below which a build stops, because others use
	// the disk too.
	spareSpace = 256 << 20
	// spaceInterval is short compared with the time a virtual disk takes to grow by
	// spareSpace.
	spaceInterval = time.Second
)

// guardSpace returns a context that is cancelled, with the reason as its cause, when the
// file system of directory is nearly full. Otherwise QEMU would silently pause the machine
// until some timeout blamed the network.
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
