// Package atomicfile replaces files atomically: readers see either the old or the new content,
// even after a crash, and secrets are never in a file with the wrong mode.
package atomicfile

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Owner is the owner of a file. A nil *Owner means the user that writes it.
type Owner struct {
	UID, GID int
}

// Write creates or replaces path. It refuses a path that exists and is not a regular file:
// following a symbolic link would write to an unintended place. The directory must exist.
func Write(path string, content []byte, mode fs.FileMode, owner *Owner) error {
	staged, err := Stage(path, content, mode, owner)
	if err != nil {
		return err
	}
	return staged.Commit()
}

// Staged is a file or link that is completely on disk under a temporary name beside its own.
type Staged struct{ temp, path string }

// Stage does everything in Write that may fail for lack of space, so that several files can
// all be staged before the first is replaced. Call Commit or Discard afterwards.
func Stage(path string, content []byte, mode fs.FileMode, owner *Owner) (*Staged, error) {
	if err := checkTarget(path); err != nil {
		return nil, fmt.Errorf("write %s: %w", path, err)
	}
	temp, err := os.CreateTemp(filepath.Dir(path), tempPrefix(path)+"*")
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", path, err)
	}
	if err := errors.Join(fill(temp, content, mode, owner), temp.Close()); err != nil {
		return nil, fmt.Errorf("write %s: %w", path, errors.Join(err, os.Remove(temp.Name())))
	}
	return &Staged{temp.Name(), path}, nil
}

// StageLink is Stage for a symbolic link to target. It refuses to replace anything that is not
// a link.
func StageLink(target, path string) (*Staged, error) {
	info, err := os.Lstat(path)
	if err == nil && info.Mode().Type() != fs.ModeSymlink {
		return nil, fmt.Errorf("link %s: it is there and is not a symbolic link", path)
	}
	// The name is unused, unless an earlier run was killed at this point.
	temp := filepath.Join(filepath.Dir(path), tempPrefix(path)+"link")
	if err := RemoveIfThere(temp); err != nil {
		return nil, fmt.Errorf("link %s: %w", path, err)
	}
	if err := os.Symlink(target, temp); err != nil {
		return nil, fmt.Errorf("link %s: %w", path, err)
	}
	return &Staged{temp, path}, nil
}

// Commit replaces what was at the path.
func (s *Staged) Commit() error {
	if err := os.Rename(s.temp, s.path); err != nil {
		return fmt.Errorf("replace %s: %w", s.path, errors.Join(err, s.Discard()))
	}
	return syncDir(filepath.Dir(s.path))
}

// Discard removes the staged file and leaves what was at the path.
func (s *Staged) Discard() error { return os.Remove(s.temp) }

// Kept is a backup of what was at a path, under a second name.
type Kept struct{ temp, path string }

// Keep makes it possible to restore the present state of path, even that it does not exist. A
// backup takes no space. Call Restore or Drop afterwards.
func Keep(path string) (*Kept, error) {
	kept := &Kept{filepath.Join(filepath.Dir(path), tempPrefix(path)+"kept"), path}
	if err := RemoveIfThere(kept.temp); err != nil {
		return nil, fmt.Errorf("keep %s: %w", path, err)
	}
	err := os.Link(path, kept.temp)
	if errors.Is(err, fs.ErrNotExist) {
		return &Kept{path: path}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("keep %s: %w", path, err)
	}
	return kept, nil
}

// Restore restores the state at the time of Keep.
func (k *Kept) Restore() error {
	if k.temp != "" {
		// Renaming one hard link to another of the same file does nothing.
		return errors.Join(os.Rename(k.temp, k.path), k.Drop(), syncDir(filepath.Dir(k.path)))
	}
	return errors.Join(RemoveIfThere(k.path), syncDir(filepath.Dir(k.path)))
}

// Drop removes the backup and leaves the new file.
func (k *Kept) Drop() error {
	if k.temp == "" {
		return nil
	}
	return RemoveIfThere(k.temp)
}

// RemoveIfThere removes a file. It is not an error if there is none.
func RemoveIfThere(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Sweep removes temporary files left by writers of path that were killed. No other writer may
// be running.
func Sweep(path string) error {
	// The name is generated here and contains nothing that Glob could misinterpret.
	left, err := filepath.Glob(filepath.Join(filepath.Dir(path), tempPrefix(path)+"*"))
	for _, temp := range left {
		err = errors.Join(err, os.Remove(temp))
	}
	return err
}

func tempPrefix(path string) string { return "." + filepath.Base(path) + ".new-" }

// WriteIfChanged writes only if content, mode or owner differ, and reports whether it did.
func WriteIfChanged(path string, content []byte, mode fs.FileMode, owner *Owner) (bool, error) {
	same, err := Same(path, content, mode, owner)
	if err != nil || same {
		return false, err
	}
	return true, Write(path, content, mode, owner)
}

// Same reports whether path already is a regular file with this content, mode and owner.
func Same(path string, content []byte, mode fs.FileMode, owner *Owner) (bool, error) {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if info.Mode() != mode.Perm() || !owner.owns(info) {
		return false, nil
	}
	present, err := os.ReadFile(path)
	return bytes.Equal(present, content), err
}

// SameLink reports whether path already is a symbolic link to target.
func SameLink(target, path string) bool {
	present, err := os.Readlink(path)
	return err == nil && present == target
}

// Link makes path a symbolic link to target, replacing another link atomically. It refuses to
// replace anything that is not a link.
func Link(target, path string) error {
	staged, err := StageLink(target, path)
	if err != nil {
		return err
	}
	return staged.Commit()
}

func checkTarget(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("it is there and is not a regular file (%s)", info.Mode().Type())
	}
	return err
}

func fill(file *os.File, content []byte, mode fs.FileMode, owner *Owner) error {
	// CreateTemp sets mode 0600; the owner is set before others may read the file.
	if owner != nil {
		if err := file.Chown(owner.UID, owner.GID); err != nil {
			return err
		}
	}
	if _, err := file.Write(content); err != nil {
		return err
	}
	if err := file.Chmod(mode); err != nil {
		return err
	}
	return file.Sync()
}

// syncDir makes a rename in dir survive a power failure.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func (o *Owner) owns(info fs.FileInfo) bool {
	if o == nil {
		return true
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == o.UID && int(stat.Gid) == o.GID
}
