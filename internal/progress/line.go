package progress

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/term"
)

// Line shows the current activity: on a terminal each line replaces the one before, otherwise
// it follows below.
type Line struct {
	out io.Writer
	// width is the width of the terminal, 0 if there is none.
	width int
}

// NewLine returns a Line that writes to out.
func NewLine(out io.Writer) *Line {
	l := &Line{out: out}
	if file, ok := out.(*os.File); ok {
		// Without a terminal the width stays 0.
		l.width, _, _ = term.GetSize(int(file.Fd()))
	}
	return l
}

// Say shows text, truncated to what the terminal can replace later.
func (l *Line) Say(text string) {
	if l.width <= 0 {
		fmt.Fprintln(l.out, text)
		return
	}
	l.clear()
	characters := []rune(text)
	fmt.Fprint(l.out, string(characters[:min(len(characters), l.width-1)]))
}

// Keep writes text that the next line does not replace.
func (l *Line) Keep(text string) {
	l.clear()
	fmt.Fprintln(l.out, text)
}

func (l *Line) clear() {
	if l.width > 0 {
		fmt.Fprint(l.out, "\r\x1b[K")
	}
}

// End ends the line, so that the last text stays.
func (l *Line) End() {
	if l.width > 0 {
		fmt.Fprintln(l.out)
	}
}
