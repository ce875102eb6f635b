package instance

import (
	"fmt"
	"os"
	"regexp"
	"strings"
)

// consoleLines is how many lines of the serial console an error shows.
const consoleLines = 20

// control matches what makes a log unreadable: terminal escape sequences (ECMA-48) and control
// characters other than the line feed.
var control = regexp.MustCompile(`\x1b\[[0-?]*[ -/]*[@-~]|\x1b.|[\x00-\x09\x0b-\x1f\x7f]`)

// withConsole adds the last lines of the serial console, which often show the cause.
func (i *Instance) withConsole(err error) error {
	text := i.console()
	if text == "" {
		return fmt.Errorf("%w (its serial console is empty)", err)
	}
	return fmt.Errorf("%w; the last lines of its serial console:\n%s", err, lastLines(text, consoleLines))
}

// console returns the serial console output of all boots, empty if there is none.
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
