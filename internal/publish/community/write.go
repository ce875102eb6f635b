package community

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/atomicfile"
)

// Write writes the result of Files into directory, a checkout of the repository or any other,
// reports each file it changed to say, and returns whether there were any. Other files stay
// untouched, and so do existing sections of CHANGELOG.md. No file is ever half written; the
// next run completes one that was interrupted.
func Write(directory string, files map[string][]byte, say func(string)) (changed bool, err error) {
	for _, name := range slices.Sorted(maps.Keys(files)) {
		path := filepath.Join(directory, filepath.FromSlash(name))
		write := writeFile
		if name == changelogFile {
			write = writeChangelog
		}
		written, err := write(path, files[name])
		if err != nil {
			return changed, fmt.Errorf("write the files of a pull request: %w", err)
		}
		if written {
			changed = true
			say("wrote " + path)
		}
	}
	return changed, nil
}

func writeChangelog(path string, content []byte) (bool, error) {
	existing, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	return writeFile(path, mergeChangelog(existing, content))
}

func writeFile(path string, content []byte) (bool, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return false, err
	}
	if err := atomicfile.Sweep(path); err != nil {
		return false, err
	}
	return atomicfile.WriteIfChanged(path, content, 0o644, nil)
}
