package builder

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// sayInterval is the time between two progress messages during a wait.
const sayInterval = 10 * time.Second

// waiting reports, once per interval until stop is called, what the build is waiting for,
// for how long, and the last line of the machine's console.
func (b *build) waiting(say func(string), awaited string) (stop func()) {
	started := time.Now()
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(b.sayInterval)
		defer ticker.Stop()
		for {
			select {
			case <-done:
				return
			case <-ticker.C:
				say(fmt.Sprintf("Still waiting for %s, for %s now%s", awaited, time.Since(started).Round(time.Second), b.consoleNote()))
			}
		}
	}()
	return sync.OnceFunc(func() { close(done); <-ended })
}

// consoleNote returns the last line of the machine's console, formatted as the end of a
// message.
func (b *build) consoleNote() string {
	content, err := os.ReadFile(b.serialLog())
	text := strings.TrimSpace(printable(content))
	if err != nil || text == "" {
		return ""
	}
	const longest = 100
	line := strings.TrimSpace(text[strings.LastIndex(text, "\n")+1:])
	for len(line) > longest {
		_, last := utf8.DecodeLastRuneInString(line)
		line = line[:len(line)-last]
	}
	return "; the console's last line: " + line
}
