// Package atomicfile replaces files whole: whoever reads one sees the old content or the
// new, even if the machine stops in between, and secrets never stand in a file with the
// wrong mode.
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

// Owner is who a file belongs to. A nil *Owner leaves it to whoever writes.
type Owner struct {
	UID, GID int
}

// Write replaces path, or makes it. It refuses a path that is there and is not a regular
// file: following a symbolic link would write somewhere nobody meant. The directory must
// exist.
func Write(path string, content []byte, mode fs.FileMode, owner *Owner) error {
	if err := checkTarget(path); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	temp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	defer os.Remove(temp.Name())
	err = errors.Join(fill(temp, content, mode, owner), temp.Close())
	if err == nil {
		err = os.Rename(temp.Name(), path)
	}
	if err == nil {
		err = syncDir(filepath.Dir(path))
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// WriteIfChanged writes only if content, mode or owner differ, and says whether it did.
func WriteIfChanged(path string, content []byte, mode fs.FileMode, owner *Owner) (bool, error) {
	same, err := Same(path, content, mode, owner)
	if err != nil || same {
		return false, err
	}
	return true, Write(path, content, mode, owner)
}

// Same says whether path already is a regular file with this content, mode and owner.
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

// SameLink says whether path already is a symbolic link to target.
func SameLink(target, path string) bool {
	present, err := os.Readlink(path)
	return err == nil && present == target
}

// Link makes path a symbolic link to target, in one step where another link was. It
// refuses to replace anything that is not a link.
func Link(target, path string) error {
	info, err := os.Lstat(path)
	if err == nil && info.Mode().Type() != fs.ModeSymlink {
		return fmt.Errorf("link %s: it is there and is not a symbolic link", path)
	}
	// The name is free unless an earlier run was killed right here.
	temp := filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".new")
	if err := os.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("link %s: %w", path, err)
	}
	if err := os.Symlink(target, temp); err != nil {
		return fmt.Errorf("link %s: %w", path, err)
	}
	if err := os.Rename(temp, path); err != nil {
		return fmt.Errorf("link %s: %w", path, errors.Join(err, os.Remove(temp)))
	}
	return syncDir(filepath.Dir(path))
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
	// CreateTemp made it 0600; it belongs to the right owner before others may read it.
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

// syncDir makes a rename in dir survive a power cut.
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
