package instance

import (
	"fmt"
	"os"
	"regexp"
	"strings"
)

// consoleLines is how much of the serial console an error shows.
const consoleLines = 20

// control matches what makes a console colourful and a log unreadable: terminal
// sequences (ECMA-48) and control characters other than the line feed.
var control = regexp.MustCompile(`\x1b\[[0-?]*[ -/]*[@-~]|\x1b.|[\x00-\x09\x0b-\x1f\x7f]`)

// withConsole adds the last lines of the serial console, in which the reason often stands.
func (i *Instance) withConsole(err error) error {
	text := i.console()
	if text == "" {
		return fmt.Errorf("%w (its serial console is empty)", err)
	}
	return fmt.Errorf("%w; the last lines of its serial console:\n%s", err, lastLines(text, consoleLines))
}

// console is what was written to the serial console in all boots, empty if nothing was.
func (i *Instance) console() string {
	text, _ := os.ReadFile(i.config.SerialLog)
	return string(text)
}

func (i *Instance) consoleSinceBoot() string {
	text := i.console()
	return text[min(i.consoleStart, len(text)):]
}

func lastLines(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(control.ReplaceAllString(text, "")), "\n")
	return "    " + strings.Join(lines[max(0, len(lines)-n):], "\n    ")
}
