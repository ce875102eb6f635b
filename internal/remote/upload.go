package remote

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/progress"
)

// keepUpload gives an uploaded file its mode and name if it arrived whole.
//
//go:embed keep_upload.sh
var keepUpload string

// verifyTimeout allows for 15 GB on an emulated processor.
const verifyTimeout = time.Hour

// File is what to put on the machine.
type File struct {
	// Content is read to its end, Size bytes.
	Content io.Reader
	Size    int64
	// Path is where it goes; its directory is made if need be.
	Path string
	Mode fs.FileMode
}

// Upload copies the file to the machine beside its place, verifies there what arrived,
// and renames it. Packer's own transfer takes a cut for an end, so its word is not
// enough. The meter may be nil.
func (m *Machine) Upload(ctx context.Context, file File, meter *progress.Meter) error {
	part := file.Path + ".part"
	directory := Script{
		Text:    `mkdir -p "$DIR"`,
		Env:     Env{"DIR": path.Dir(part)},
		Timeout: time.Minute,
	}
	if _, err := m.Run(ctx, directory); err != nil {
		return fmt.Errorf("make the directory of %s: %w", file.Path, err)
	}
	sum := sha256.New()
	content := contextReader{ctx, io.TeeReader(meter.Reader(file.Content), sum)}
	if err := m.send(ctx, part, content, file.Size); err != nil {
		return fmt.Errorf("upload %s: %w", file.Path, err)
	}
	keep := Script{
		Text: keepUpload,
		Env: Env{
			"PART": part, "DEST": file.Path, "MODE": fmt.Sprintf("%04o", file.Mode.Perm()),
			"SUM": hex.EncodeToString(sum.Sum(nil)),
		},
		Timeout: verifyTimeout,
	}
	if _, err := m.Run(ctx, keep); err != nil {
		return fmt.Errorf("verify %s: %w", file.Path, err)
	}
	meter.Finish()
	return nil
}

// send returns when ctx ends even if the machine no longer takes anything: the reader
// it leaves behind refuses to give more.
func (m *Machine) send(ctx context.Context, dst string, content io.Reader, size int64) error {
	// Without a size Packer would copy everything to a temporary file first.
	var info os.FileInfo = fileInfo{path.Base(dst), size}
	done := make(chan error, 1)
	go func() { done <- m.comm.Upload(dst, content, &info) }()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case err := <-done:
		return err
	}
}

// fileInfo is as much of a file as a communicator asks for.
type fileInfo struct {
	name string
	size int64
}

func (i fileInfo) Name() string     { return i.name }
func (i fileInfo) Size() int64      { return i.size }
func (fileInfo) Mode() fs.FileMode  { return 0o600 }
func (fileInfo) ModTime() time.Time { return time.Time{} }
func (fileInfo) IsDir() bool        { return false }
func (fileInfo) Sys() any           { return nil }

type contextReader struct {
	ctx context.Context
	io.Reader
}

func (r contextReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}
