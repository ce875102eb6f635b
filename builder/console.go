package builder

import (
	"fmt"
	"os"
	"regexp"
	"strings"
)

// consoleLines is how much of the console an error shows.
const consoleLines = 20

// withConsole keeps the console log of a failed machine and shows its end.
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

// terminalControl is an escape sequence of ECMA-48.
var terminalControl = regexp.MustCompile(`\x1b(\[[0-?]*[ -/]*[@-~]|[^\[])`)

// printable drops what would move the cursor of the reader's terminal: boot loaders
// and kernels write escape sequences and carriage returns.
func printable(console []byte) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || (r >= ' ' && r != 0x7f) {
			return r
		}
		return -1
	}, terminalControl.ReplaceAllString(string(console), ""))
}
