package sftp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	pkgsftp "github.com/pkg/sftp"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/progress"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/transfer"
)

// upload is the upload of one file, over as many connections as it needs.
type upload struct {
	*Method
	file transfer.File
	say  func(string)
	// reached is how many bytes of the partial file are known to have arrived, the maximum
	// over all attempts.
	reached int64
}

// attempt does everything that is left to do, over one connection.
func (u *upload) attempt(ctx context.Context) error {
	s, err := u.options.connect(ctx)
	if err != nil {
		return err
	}
	defer s.close()
	done, err := u.isThere(s)
	if done || err != nil {
		return err
	}
	offset, err := u.resume(ctx, s)
	if err != nil {
		return err
	}
	if err := u.checkSpace(s, []transfer.File{u.file}); err != nil {
		return fmt.Errorf("%s: %w", u.options.directory(), err)
	}
	if err := u.write(s, offset); err != nil {
		return err
	}
	return u.finish(s)
}

// isThere reports whether an earlier run has already uploaded the file.
func (u *upload) isThere(s *session) (bool, error) {
	target := u.target(u.file)
	there, err := s.regular(target)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if there.size == u.file.Size {
		sum, err := s.remoteDigest(target, u.file.Size, u.note)
		if err != nil {
			return false, err
		}
		if sum == u.file.SHA256 {
			u.note(target + " is there already")
			return true, nil
		}
	}
	u.note(target + " is there with other content and will be replaced")
	return false, nil
}

// resume returns how much of the file need not be sent again. A partial file with other
// content is deleted.
func (u *upload) resume(ctx context.Context, s *session) (int64, error) {
	part := u.part(u.file)
	there, err := s.regular(part)
	if errors.Is(err, fs.ErrNotExist) {
		u.reached = 0
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	if there.size > 0 && there.size <= u.file.Size {
		same, err := u.samePrefix(ctx, s, there.size)
		if err != nil {
			return 0, err
		}
		if same {
			u.reached = max(u.reached, there.size)
			u.note(fmt.Sprintf("continuing after %s, which are there already", progress.Bytes(there.size)))
			return there.size, nil
		}
	}
	if there.size > 0 {
		u.note(part + " does not fit the file: sending it from the start")
	}
	u.reached = 0
	return 0, s.Remove(part)
}

// samePrefix compares digests that both ends compute concurrently.
func (u *upload) samePrefix(ctx context.Context, s *session, size int64) (bool, error) {
	u.note(fmt.Sprintf("comparing the %s that are there", progress.Bytes(size)))
	type result struct {
		sum string
		err error
	}
	local := make(chan result, 1)
	go func() {
		sum, err := localDigest(ctx, u.file.Path, size)
		local <- result{sum, err}
	}()
	sum, err := s.remoteDigest(u.part(u.file), size, u.note)
	here := <-local
	if err := errors.Join(err, here.err); err != nil {
		return false, err
	}
	return sum == here.sum, nil
}

// write sends the file from offset on, many packets at a time.
func (u *upload) write(s *session, offset int64) error {
	source, err := os.Open(u.file.Path)
	if err != nil {
		return err
	}
	defer source.Close()
	part, err := s.OpenFile(u.part(u.file), os.O_WRONLY|os.O_CREATE)
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%s may not write %s", u.options.User, u.part(u.file))
	}
	if err != nil {
		return fmt.Errorf("make %s: %w", u.part(u.file), err)
	}
	// OpenNebula reads the file as oneadmin.
	if err := part.Chmod(0o644); err != nil {
		return fmt.Errorf("make %s readable: %w", u.part(u.file), err)
	}
	if err := u.fill(part, source, offset); err != nil {
		_ = part.Close()
		return u.explainWrite(s, err)
	}
	return part.Close()
}

func (u *upload) fill(part *pkgsftp.File, source io.ReaderAt, offset int64) error {
	if _, err := part.Seek(offset, io.SeekStart); err != nil {
		return err
	}
	meter := progress.Lines("upload "+u.file.Name, u.file.Size, u.say)
	meter.Start(offset)
	rest := meter.Reader(io.NewSectionReader(source, offset, u.file.Size-offset))
	// 0 means as much concurrency as the library allows.
	n, err := part.ReadFromWithConcurrency(rest, 0)
	if err == nil && n < u.file.Size-offset {
		err = fmt.Errorf("%s has become shorter meanwhile", u.file.Path)
	}
	// Everything before this offset is written, whatever may lie beyond it.
	reached, _ := part.Seek(0, io.SeekCurrent)
	u.reached = max(u.reached, reached)
	if err != nil {
		// This may fail if the connection is gone.
		_ = part.Truncate(reached)
		return err
	}
	meter.Finish()
	return flush(part)
}

// flush syncs the file to disk before it gets its name, if the server supports that.
func flush(part *pkgsftp.File) error {
	err := part.Sync()
	var status *pkgsftp.StatusError
	if errors.As(err, &status) && status.FxCode() == pkgsftp.ErrSSHFxOpUnsupported {
		return nil
	}
	return err
}

// explainWrite finds the cause of a failed write: SFTP has one and the same code for a full
// disk, an exceeded quota and a broken disk.
func (u *upload) explainWrite(s *session, err error) error {
	var status *pkgsftp.StatusError
	if !errors.As(err, &status) || status.FxCode() != pkgsftp.ErrSSHFxFailure {
		return fmt.Errorf("write %s: %w", u.part(u.file), err)
	}
	missing := u.file.Size - u.reached
	free, known := s.freeSpace(u.options.directory())
	switch {
	case !known:
		return fmt.Errorf("write %s: %w: is the disk full? %s are missing", u.part(u.file), err, progress.Bytes(missing))
	case free < missing:
		return fmt.Errorf("write %s: the disk is full: it has %s free, and %s are missing: make room, the next run continues",
			u.part(u.file), progress.Bytes(free), progress.Bytes(missing))
	}
	return fmt.Errorf("write %s: %w: the disk has %s free, so look for a quota, a limit of file sizes, or a broken disk; %s are missing",
		u.part(u.file), err, progress.Bytes(free), progress.Bytes(missing))
}

// finish verifies that everything arrived, and gives the file its name.
func (u *upload) finish(s *session) error {
	part := u.part(u.file)
	sum, err := s.remoteDigest(part, u.file.Size, u.note)
	if err != nil {
		return err
	}
	if sum != u.file.SHA256 {
		u.reached = 0
		return errors.Join(fmt.Errorf("%s has the SHA-256 %s there and should have %s: has %s changed meanwhile? The upload is deleted",
			u.file.Name, sum, u.file.SHA256, u.file.Path), s.Remove(part))
	}
	if err := s.rename(part, u.target(u.file)); err != nil {
		return fmt.Errorf("rename %s: %w", part, err)
	}
	return nil
}

// rename replaces an existing file, in one step if the server supports that.
func (s *session) rename(from, to string) error {
	if _, atomic := s.HasExtension("posix-rename@openssh.com"); atomic {
		return s.PosixRename(from, to)
	}
	if err := s.Remove(to); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return s.Rename(from, to)
}
