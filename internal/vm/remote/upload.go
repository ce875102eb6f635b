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

// keepUpload gives an uploaded file its mode and name if it arrived complete.
//
//go:embed keep_upload.sh
var keepUpload string

// verifyTimeout allows for hashing 15 GB on an emulated processor.
const verifyTimeout = time.Hour

// File is a file to put on the machine.
type File struct {
	// Content has Size bytes. Whatever a lost connection did not deliver is read again.
	Content io.ReaderAt
	Size    int64
	// Path is the destination; its directory is created if necessary.
	Path string
	Mode fs.FileMode
}

// Upload copies the file to a temporary name on the machine, verifies there what arrived, and
// renames it. A lost connection is re-established, five times at most, and the copy continues
// where the last one ended; the meter reports progress. The meter may be nil.
//
// Packer's own transfer is not used: it restarts from the beginning, mistakes a lost
// connection for the end of the file, and sends a whole file to a full disk without reporting
// it.
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
