package remote

import (
	"context"
	_ "embed"
	"fmt"
	"io"
	"io/fs"
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
	// Content has Size bytes. What a lost connection has not brought is read again.
	Content io.ReaderAt
	Size    int64
	// Path is where it goes; its directory is made if need be.
	Path string
	Mode fs.FileMode
}

// Upload copies the file to the machine beside its place, verifies there what arrived,
// and renames it. A connection that is lost is made again, five times at most, and goes
// on where the last one ended; the meter tells. The meter may be nil.
//
// Packer's own transfer is not used: it starts from the beginning, takes a cut for an
// end, sends all of a file to a disk that is full and does not say so.
func (m *Machine) Upload(ctx context.Context, file File, meter *progress.Meter) error {
	part := file.Path + ".part"
	from := newSource(file, meter)
	if err := m.sendAll(ctx, part, from); err != nil {
		return fmt.Errorf("upload %s: %w", file.Path, err)
	}
	keep := Script{
		Text: keepUpload,
		Env: Env{
			"PART": part, "DEST": file.Path, "MODE": fmt.Sprintf("%04o", file.Mode.Perm()),
			"SUM": from.digest(),
		},
		Timeout: verifyTimeout,
	}
	if _, err := m.Run(ctx, keep); err != nil {
		return fmt.Errorf("verify %s: %w", file.Path, err)
	}
	meter.Finish()
	return nil
}
