package main

import (
	"io"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/printable"
)

// terminal passes on what a terminal can show of a message, which may repeat text of a
// certificate, a server or a setting.
type terminal struct{ out io.Writer }

func (t terminal) Write(text []byte) (int, error) {
	if _, err := io.WriteString(t.out, printable.Text(string(text))); err != nil {
		return 0, err
	}
	return len(text), nil
}
