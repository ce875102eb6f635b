package builder

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/filelock"
)

// stepLockOutput creates the working directory and removes it at the end, unless it was
// published, or is kept because the build failed late. It also removes what a killed build
// left there.
type stepLockOutput struct {
	*build
	lock *filelock.Lock
}

func (s *stepLockOutput) Run(context.Context) error {
	if err := s.config.outputFree(); err != nil {
		return fmt.Errorf("output_directory: %w", err)
	}
	lock, err := lockEmpty(s.config.partialDirectory())
	if err != nil {
		return fmt.Errorf("output_directory: %w", err)
	}
	s.lock = lock
	if err := os.RemoveAll(s.config.failedSerialLog()); err != nil {
		return fmt.Errorf("output_directory: remove the console log of an earlier build: %w", err)
	}
	return nil
}

func (s *stepLockOutput) Cleanup() {
	if s.lock == nil {
		return
	}
	defer func() { _ = s.lock.Release() }()
	if s.published || s.kept {
		return
	}
	if err := os.RemoveAll(s.config.partialDirectory()); err != nil {
		s.ui.Errorf("Could not remove what the build left: %s", err)
	}
}

// lockEmpty creates, locks and empties the directory.
func lockEmpty(path string) (*filelock.Lock, error) {
	if err := os.MkdirAll(path, 0o755); err != nil {
		return nil, err
	}
	lock, err := filelock.TryDirectory(path)
	if errors.Is(err, filelock.ErrHeld) {
		return nil, fmt.Errorf("another build is writing to %s; wait for it or choose another directory", path)
	}
	if err != nil {
		return nil, err
	}
	if err := empty(path); err != nil {
		return nil, errors.Join(err, lock.Release())
	}
	return lock, nil
}

func empty(path string) error {
	if err := endLeftMachine(filepath.Join(path, pidFileName)); err != nil {
		return fmt.Errorf("end the machine of a build that was killed: %w", err)
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return fmt.Errorf("empty %s: %w", path, err)
	}
	for _, entry := range entries {
		if err := os.RemoveAll(filepath.Join(path, entry.Name())); err != nil {
			return fmt.Errorf("empty %s: %w", path, err)
		}
	}
	return nil
}
