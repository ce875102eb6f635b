package remote

import (
	"bytes"
	"io"
	"strings"
	"sync"
)

// tailLines is how many lines an error shows: enough to see the cause, few enough to read.
const tailLines = 20

// output collects what a command writes. It outlives the call that made it if a command does
// not end in time, hence the lock.
type output struct {
	mu       sync.Mutex
	line     func(string)
	out, all bytes.Buffer
	partial  bytes.Buffer
}

func newOutput(line func(string)) *output {
	if line == nil {
		line = func(string) {}
	}
	return &output{line: line}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func (o *output) stdout() io.Writer {
	return writerFunc(func(p []byte) (int, error) {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.out.Write(p)
		o.add(p)
		return len(p), nil
	})
}

func (o *output) stderr() io.Writer {
	return writerFunc(func(p []byte) (int, error) {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.add(p)
		return len(p), nil
	})
}

// add must be called with the lock held.
func (o *output) add(p []byte) {
	o.all.Write(p)
	o.partial.Write(p)
	for {
		end := bytes.IndexByte(o.partial.Bytes(), '\n')
		if end < 0 {
			return
		}
		o.line(string(o.partial.Next(end + 1)[:end]))
	}
}

// flush passes on a last line without a line end.
func (o *output) flush() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.partial.Len() > 0 {
		o.line(string(o.partial.Next(o.partial.Len())))
	}
}

func (o *output) text() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.out.String()
}

func (o *output) tail() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	lines := strings.Split(strings.TrimSpace(o.all.String()), "\n")
	return strings.Join(lines[max(0, len(lines)-tailLines):], "\n")
}
