package sftp

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/progress"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/transfer"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/retry"
)

// Method uploads images to a directory of the front-end.
type Method struct {
	options Options
	retries retry.Policy
	// resolved is the directory without symbolic links, once Check has asked for it.
	resolved string
}

var _ transfer.Method = (*Method)(nil)

// New returns a Method for options without mistakes. It does not connect yet.
func New(options Options) *Method {
	return &Method{options: options, retries: retries}
}

// Check logs in, writes a file into the directory, deletes it, and checks the free space.
func (m *Method) Check(ctx context.Context, files []transfer.File) error {
	s, err := m.options.connect(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	err = m.checkDirectory(s)
	if err == nil {
		err = m.checkSpace(s, files)
	}
	return m.failed(ctx, "look at "+m.options.directory(), err)
}

// Local returns the path of the image, in the directory as Check has found it.
func (m *Method) Local(file transfer.File) string {
	return path.Join(cmp.Or(m.resolved, m.options.directory()), file.Name)
}

func (m *Method) checkDirectory(s *session) error {
	info, err := s.Stat(m.options.directory())
	if errors.Is(err, fs.ErrNotExist) {
		return errors.New("it is not there: make it, or name another directory that OpenNebula may read (SAFE_DIRS)")
	}
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return errors.New("it is not a directory")
	}
	if m.resolved, err = s.RealPath(m.options.directory()); err != nil {
		return fmt.Errorf("find out what it is without symbolic links: %w", err)
	}
	trial := path.Join(m.options.directory(), ".slm-copilot-"+rand.Text())
	file, err := s.OpenFile(trial, os.O_WRONLY|os.O_CREATE|os.O_EXCL)
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%s may not write there", m.options.User)
	}
	if err != nil {
		return fmt.Errorf("write a file there: %w", err)
	}
	if err := errors.Join(file.Close(), s.Remove(trial)); err != nil {
		return fmt.Errorf("delete %s: %w", trial, err)
	}
	return nil
}

// checkSpace subtracts what already exists of the files.
func (m *Method) checkSpace(s *session, files []transfer.File) error {
	var missing int64
	for _, file := range files {
		if is, err := s.regular(m.target(file)); err == nil && is.size == file.Size {
			continue
		}
		missing += file.Size
		if is, err := s.regular(m.part(file)); err == nil && is.size <= file.Size {
			missing -= is.size
		}
	}
	free, known := s.freeSpace(m.options.directory())
	if known && free < missing {
		return fmt.Errorf("it has %s free, and %s are to be uploaded: make room, or name a directory on a larger disk",
			progress.Bytes(free), progress.Bytes(missing))
	}
	return nil
}

// freeSpace returns the bytes available to users other than root. Servers other than OpenSSH's
// may not report it.
func (s *session) freeSpace(directory string) (int64, bool) {
	if _, offered := s.HasExtension("statvfs@openssh.com"); !offered {
		return 0, false
	}
	stat, err := s.StatVFS(directory)
	if err != nil {
		return 0, false
	}
	return int64(stat.Frsize * stat.Bavail), true
}

// Remove deletes the image and its partial file.
func (m *Method) Remove(ctx context.Context, file transfer.File) error {
	s, err := m.options.connect(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	for _, name := range []string{m.target(file), m.part(file)} {
		if err := s.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return m.failed(ctx, "delete "+name, err)
		}
	}
	return nil
}

// Close does nothing: no connection outlives the call that needed it.
func (m *Method) Close() error { return nil }

func (m *Method) target(file transfer.File) string {
	return path.Join(m.options.directory(), file.Name)
}

func (m *Method) part(file transfer.File) string { return m.target(file) + ".part" }

// failed adds on which machine something failed. If the context has ended, that is the reason
// given, whatever the session's error.
func (m *Method) failed(ctx context.Context, what string, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	}
	return fmt.Errorf("%s on %s: %w", what, m.options.address(), err)
}

// remoteFile is a regular file on the front-end.
type remoteFile struct{ size int64 }

// regular does not follow a symbolic link: in a world-writable directory anybody may have
// created it.
func (s *session) regular(name string) (remoteFile, error) {
	info, err := s.Lstat(name)
	if err != nil {
		return remoteFile{}, err
	}
	if !info.Mode().IsRegular() {
		return remoteFile{}, fmt.Errorf("%s is there and is not a regular file (%s): delete it", name, info.Mode().Type())
	}
	return remoteFile{info.Size()}, nil
}
