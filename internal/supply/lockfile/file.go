package lockfile

import (
	"fmt"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/atomicfile"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/guardedfile"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/plainhcl"
)

// Read reads the lock file at path.
func Read(path string) (Lock, error) {
	content, err := guardedfile.Read(path, plainhcl.MaxSize)
	if err != nil {
		return Lock{}, fmt.Errorf("read the lock file: %w", err)
	}
	return Parse(path, content)
}

// Open reads the lock file that a template names, or returns Default if path is empty.
func Open(path string) (Lock, error) {
	if path == "" {
		return Default(), nil
	}
	return Read(path)
}

// Called returns the name for messages of the lock that Open returns.
func Called(path string) string {
	if path == "" {
		return "the lock in the plugin"
	}
	return path
}

// Write replaces the file at path atomically. It never writes anything that Read would refuse.
func Write(path string, l Lock) error {
	content := l.Encode()
	if _, err := Parse(path, content); err != nil {
		return fmt.Errorf("not written: %w", err)
	}
	return atomicfile.Write(path, content, 0o644, nil)
}
