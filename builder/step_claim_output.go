package builder

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// stepClaimOutput makes the directory the build works in and removes it again unless
// it was published, or is kept because the build failed late. What a killed build left
// there is removed too.
type stepClaimOutput struct {
	*build
	// directory is held open for its lock, which ends with this process at the latest.
	directory *os.File
}

func (s *stepClaimOutput) Run(context.Context) error {
	if err := s.config.outputFree(); err != nil {
		return fmt.Errorf("output_directory: %w", err)
	}
	directory, err := claim(s.config.partialDirectory())
	if err != nil {
		return fmt.Errorf("output_directory: %w", err)
	}
	s.directory = directory
	if err := os.RemoveAll(s.config.failedSerialLog()); err != nil {
		return fmt.Errorf("output_directory: remove the console log of an earlier build: %w", err)
	}
	return nil
}

func (s *stepClaimOutput) Cleanup() {
	if s.directory == nil {
		return
	}
	defer s.directory.Close()
	if s.published || s.kept {
		return
	}
	if err := os.RemoveAll(s.config.partialDirectory()); err != nil {
		s.ui.Errorf("Could not remove what the build left: %s", err)
	}
}

// claim makes and locks an empty directory.
func claim(path string) (*os.File, error) {
	if err := os.MkdirAll(path, 0o755); err != nil {
		return nil, err
	}
	directory, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	if err := lockAndEmpty(directory); err != nil {
		return nil, errors.Join(err, directory.Close())
	}
	return directory, nil
}

func lockAndEmpty(directory *os.File) error {
	path := directory.Name()
	err := unix.Flock(int(directory.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return fmt.Errorf("another build is writing to %s; wait for it or choose another directory", path)
	}
	if err != nil {
		return fmt.Errorf("lock %s: %w", path, err)
	}
	if err := endLeftMachine(filepath.Join(path, pidFileName)); err != nil {
		return fmt.Errorf("end the machine of a build that was killed: %w", err)
	}
	names, err := directory.Readdirnames(-1)
	if err != nil {
		return fmt.Errorf("empty %s: %w", path, err)
	}
	for _, name := range names {
		if err := os.RemoveAll(filepath.Join(path, name)); err != nil {
			return fmt.Errorf("empty %s: %w", path, err)
		}
	}
	return nil
}
