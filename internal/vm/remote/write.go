package remote

import (
	"context"
	_ "embed"
	"fmt"
	"io/fs"
	"path"
	"time"
)

// writeText makes a file out of a variable.
//
//go:embed write_text.sh
var writeText string

// WriteText puts a small text on the machine in one round trip, where Upload needs
// three. It travels as a word of a command, so 100 KiB and no NUL byte is the limit.
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
