// Package logfile writes the agent's log: UTC time, level, message. Nothing secret may be
// passed to it.
package logfile

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Log writes to a file and to standard error, which systemd keeps in its journal.
type Log struct {
	out io.WriteCloser
	err io.Writer
	now func() time.Time
}

// Open appends to the file at path. A log that cannot be written does not stop the service:
// it is said on standard error, and that is all there is then.
func Open(path string, stderr io.Writer, now func() time.Time) *Log {
	log := &Log{err: stderr, now: now}
	file, err := open(path)
	if err != nil {
		log.Warn("there is no log file: %v", err)
		return log
	}
	log.out = file
	return log
}

// maxSize is a year of a healthy machine, in bytes. What is longer is put aside, and the one
// put aside before is gone: an engine that never comes up must not fill the disk.
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
	return os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o640)
}

// Close closes the file.
func (l *Log) Close() error {
	if l.out == nil {
		return nil
	}
	return l.out.Close()
}

// Info tells what was done.
func (l *Log) Info(format string, args ...any) { l.write("INFO", format, args) }

// Warn tells what is wrong and does not stop the appliance.
func (l *Log) Warn(format string, args ...any) { l.write("WARN", format, args) }

// Error tells what failed.
func (l *Log) Error(format string, args ...any) { l.write("ERROR", format, args) }

// write makes one entry per line, so that each can be found by its level.
func (l *Log) write(level, format string, args []any) {
	stamp := l.now().UTC().Format(time.RFC3339)
	for line := range strings.Lines(fmt.Sprintf(format, args...)) {
		entry := fmt.Sprintf("%s %-5s %s\n", stamp, level, strings.TrimRight(line, "\n"))
		_, _ = io.WriteString(l.err, entry)
		if l.out != nil {
			_, _ = io.WriteString(l.out, entry)
		}
	}
}
