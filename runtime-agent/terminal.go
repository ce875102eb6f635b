package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/printable"
)

// terminal passes on what a terminal can show of a message, which may repeat text of a
// certificate, a server or a setting.
type terminal struct {
	out io.Writer
	// colours says that out shows colours, and that nobody minds.
	colours bool
}

func newTerminal(out io.Writer) terminal { return terminal{out, showsColours(out)} }

// showsColours follows https://no-color.org.
func showsColours(out io.Writer) bool {
	file, isFile := out.(*os.File)
	if !isFile || os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return false
	}
	_, err := unix.IoctlGetTermios(int(file.Fd()), unix.TCGETS)
	return err == nil
}

func (t terminal) Write(text []byte) (int, error) {
	if _, err := io.WriteString(t.out, printable.Text(string(text))); err != nil {
		return 0, err
	}
	return len(text), nil
}

// Colours of a verdict, by their numbers in an escape sequence.
const (
	green  = 32
	red    = 31
	yellow = 33
)

// verdict writes a line whose first word says how something went.
func (t terminal) verdict(colour int, line string) {
	word, rest, _ := strings.Cut(line, " ")
	if t.colours {
		fmt.Fprintf(t.out, "\x1b[%dm", colour)
	}
	fmt.Fprint(t, word)
	if t.colours {
		fmt.Fprint(t.out, "\x1b[0m")
	}
	fmt.Fprintln(t, " "+rest)
}
