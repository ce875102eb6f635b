package catalog

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/hardlink"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/progress"
)

// partial is the suffix of a file that is still being written. The site does not serve such
// files.
const partial = hardlink.Partial

// makeDir creates path so that nginx's workers can enter it, whatever the umask. Existing
// directories keep their mode.
func makeDir(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("make the catalog: %w", err)
	}
	err := os.Mkdir(path, 0o755)
	if err == nil {
		err = os.Chmod(path, 0o755)
	} else if info, statErr := os.Stat(path); statErr == nil && info.IsDir() {
		return nil
	}
	if err != nil {
		return fmt.Errorf("make the catalog: %w", err)
	}
	return nil
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// place links or copies source to target, which appears complete or not at all and is
// readable by a web server.
func place(ctx context.Context, source, target string, size int64, meter *progress.Meter) (err error) {
	temporary, err := hardlink.Stage(ctx, source, target, meter)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(temporary)
		}
	}()
	info, err := os.Stat(temporary)
	if err != nil {
		return err
	}
	if info.Size() != size {
		return fmt.Errorf("it has %d bytes now, %d were expected: something changed it meanwhile", info.Size(), size)
	}
	if err := os.Chmod(temporary, info.Mode().Perm()|0o444); err != nil {
		return err
	}
	return os.Rename(temporary, target)
}
