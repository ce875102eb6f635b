package builder

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// sayInterval is that of the signs of life while nothing else is said.
const sayInterval = 10 * time.Second

// waiting says in every interval what is awaited, for how long, and what the machine's
// console shows, until stop is called.
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

// consoleNote is the last line of the machine's console, as the end of a message.
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
