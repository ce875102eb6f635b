package builder

import (
	"fmt"
	"os"
	"regexp"
	"strings"
)

// consoleLines is the number of console lines in an error.
const consoleLines = 20

// withConsole keeps the console log of a failed machine and adds its last lines to err.
func (b *build) withConsole(err error) error {
	content, readErr := os.ReadFile(b.serialLog())
	text := strings.TrimSpace(printable(content))
	if readErr != nil || text == "" {
		return err
	}
	kept := b.config.failedSerialLog()
	if renameErr := os.Rename(b.serialLog(), kept); renameErr != nil {
		return fmt.Errorf("%w\n(and the console log could not be kept: %w)", err, renameErr)
	}
	lines := strings.Split(text, "\n")
	lines = lines[max(0, len(lines)-consoleLines):]
	return fmt.Errorf("%w\nThe machine's console is kept in %s. It ends with:\n  %s", err, kept, strings.Join(lines, "\n  "))
}

// terminalControl matches an escape sequence (ECMA-48).
var terminalControl = regexp.MustCompile(`\x1b(\[[0-?]*[ -/]*[@-~]|[^\[])`)

// printable removes the escape sequences and control characters of boot loaders and
// kernels, which would garble the user's terminal.
func printable(console []byte) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || (r >= ' ' && r != 0x7f) {
			return r
		}
		return -1
	}, terminalControl.ReplaceAllString(string(console), ""))
}
