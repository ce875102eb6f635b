// Package logfile writes the agent's log: UTC time, level, message. Nothing secret may be
// passed to it.
package logfile

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/printable"
)

// Log writes to a file and to standard error, which systemd keeps in its journal.
type Log struct {
	out io.WriteCloser
	err io.Writer
	now func() time.Time
}

// Open appends to the file at path. The appliance serves without a log file, too: then a
// warning says so, and standard error is the only log.
func Open(path string, stderr io.Writer, now func() time.Time) *Log {
	log := &Log{err: stderr, now: now}
	file, err := open(path)
	if err != nil {
		log.Warn("log to standard error only: %v", err)
		return log
	}
	log.out = file
	return log
}

// maxSize is a year of a healthy machine, in bytes. A larger file is rotated, and the one
// rotated before is lost: an engine that never comes up must not fill the disk.
const maxSize = 4 << 20

func open(path string) (*os.File, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	if info, err := os.Stat(path); err == nil && info.Size() > maxSize {
		if err := os.Rename(path, path+".1"); err != nil {
			return nil, err
		}
	}
	// Without waiting for a reader, if somebody put a FIFO there.
	return os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY|syscall.O_NONBLOCK, 0o640)
}

// Close closes the file.
func (l *Log) Close() error {
	if l.out == nil {
		return nil
	}
	return l.out.Close()
}

// Info logs what was done.
func (l *Log) Info(format string, args ...any) { l.write("INFO", format, args) }

// Warn logs what is wrong and does not stop the appliance.
func (l *Log) Warn(format string, args ...any) { l.write("WARN", format, args) }

// Error logs what failed.
func (l *Log) Error(format string, args ...any) { l.write("ERROR", format, args) }

// write makes one entry per line, so that each can be found by its level.
func (l *Log) write(level, format string, args []any) {
	stamp := l.now().UTC().Format(time.RFC3339)
	for line := range strings.Lines(fmt.Sprintf(format, args...)) {
		entry := fmt.Sprintf("%s %-5s %s\n", stamp, level, printable.Masked(printable.Text(strings.TrimRight(line, "\n"))))
		_, _ = io.WriteString(l.err, entry)
		if l.out != nil {
			_, _ = io.WriteString(l.out, entry)
		}
	}
}
