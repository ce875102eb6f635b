package remote

import (
	"context"
	_ "embed"
	"fmt"
	"io/fs"
	"path"
	"time"
)

// writeText creates a file from a variable.
//
//go:embed write_text.sh
var writeText string

// WriteText writes a small text to a file on the machine in one round trip, where Upload needs
// three. The text is passed as a command argument, so the limit is 100 KiB without NUL bytes.
func (m *Machine) WriteText(ctx context.Context, file string, mode fs.FileMode, text string) error {
	script := Script{
		Text:    writeText,
		Env:     Env{"DEST": file, "DIR": path.Dir(file), "MODE": fmt.Sprintf("%04o", mode.Perm()), "CONTENT": text},
		Timeout: 2 * time.Minute,
	}
	if _, err := m.Run(ctx, script); err != nil {
		return fmt.Errorf("write %s: %w", file, err)
	}
	return nil
}
