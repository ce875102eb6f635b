package builder

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/shell"
)

// failLate handles an error after provisioning, when hours of work are at stake. It moves
// the files of the build to a directory that no later build empties, and adds to the error
// where they are and how to continue. A cancelled build keeps nothing.
func (b *build) failLate(ctx context.Context, err error, goOn func(directory string) string) error {
	if ctx.Err() != nil {
		return err
	}
	b.kept = true
	failed, partial := b.config.failedDirectory(), b.config.partialDirectory()
	if moveErr := errors.Join(os.RemoveAll(failed), os.Rename(partial, failed)); moveErr != nil {
		return fmt.Errorf("%w\nWhat the build has made stays in %s until the next build empties it (%w)", err, partial, moveErr)
	}
	return fmt.Errorf("%w\nWhat the build has made is kept in %s. %s", err, failed, goOn(failed))
}

// How to continue with the files in a directory, depending on the step that failed.

func (b *build) packByHand(directory string) string {
	disk := filepath.Join(directory, filepath.Base(b.machineDirectory()), b.config.imageFile())
	image := filepath.Join(directory, b.config.imageFile())
	return fmt.Sprintf("To pack the disk of the machine:\n  qemu-img convert -p -c -O qcow2 -o compression_type=zstd %s %s", shell.Quote(disk), shell.Quote(image))
}

func (b *build) inspectAgain(directory string) string {
	image := filepath.Join(directory, b.config.imageFile())
	return fmt.Sprintf("To look into the finished image again, in a checkout of this plugin:\n  go run ./cmd/inspect %s", shell.Quote(image))
}

func (b *build) moveByHand(directory string) string {
	return fmt.Sprintf("It is complete. To put it into its place:\n  mv -T %s %s", shell.Quote(directory), shell.Quote(b.config.OutputDirectory))
}
