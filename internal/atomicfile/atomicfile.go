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
	staged, err := Stage(path, content, mode, owner)
	if err != nil {
		return err
	}
	return staged.Commit()
}

// Staged is a file or link that is complete on the disk, under another name beside its own.
type Staged struct{ temp, path string }

// Stage does all of Write that may fail for lack of space, so that of several files all can
// be staged before the first is replaced. End it with Commit or Discard.
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

// StageLink does the same for a symbolic link to target. It refuses to replace anything that
// is not a link.
func StageLink(target, path string) (*Staged, error) {
	info, err := os.Lstat(path)
	if err == nil && info.Mode().Type() != fs.ModeSymlink {
		return nil, fmt.Errorf("link %s: it is there and is not a symbolic link", path)
	}
	// The name is free unless an earlier run was killed right here.
	temp := filepath.Join(filepath.Dir(path), tempPrefix(path)+"link")
	if err := removeIfThere(temp); err != nil {
		return nil, fmt.Errorf("link %s: %w", path, err)
	}
	if err := os.Symlink(target, temp); err != nil {
		return nil, fmt.Errorf("link %s: %w", path, err)
	}
	return &Staged{temp, path}, nil
}

// Commit puts it in the place of what was there.
func (s *Staged) Commit() error {
	if err := os.Rename(s.temp, s.path); err != nil {
		return fmt.Errorf("replace %s: %w", s.path, errors.Join(err, s.Discard()))
	}
	return syncDir(filepath.Dir(s.path))
}

// Discard removes it and leaves what was there.
func (s *Staged) Discard() error { return os.Remove(s.temp) }

// Kept is what was at a path, under a second name.
type Kept struct{ temp, path string }

// Keep makes it possible to bring back what is at path, or that nothing is. Neither takes
// space. End it with Restore or Drop.
func Keep(path string) (*Kept, error) {
	kept := &Kept{filepath.Join(filepath.Dir(path), tempPrefix(path)+"kept"), path}
	if err := removeIfThere(kept.temp); err != nil {
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

// Restore brings it back.
func (k *Kept) Restore() error {
	if k.temp != "" {
		// A rename between two names of one file does nothing.
		return errors.Join(os.Rename(k.temp, k.path), k.Drop(), syncDir(filepath.Dir(k.path)))
	}
	return errors.Join(removeIfThere(k.path), syncDir(filepath.Dir(k.path)))
}

// Drop leaves the new file.
func (k *Kept) Drop() error {
	if k.temp == "" {
		return nil
	}
	return removeIfThere(k.temp)
}

func removeIfThere(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Sweep removes what writers of path left that were killed. No other may be at work.
func Sweep(path string) error {
	// The name is ours and has nothing in it that Glob could misread.
	left, err := filepath.Glob(filepath.Join(filepath.Dir(path), tempPrefix(path)+"*"))
	for _, temp := range left {
		err = errors.Join(err, os.Remove(temp))
	}
	return err
}

func tempPrefix(path string) string { return "." + filepath.Base(path) + ".new-" }

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
