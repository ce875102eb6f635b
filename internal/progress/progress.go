// Package progress shows the progress of a long job: a bar on a terminal, otherwise a line
// every few seconds.
package progress

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// interval is the time between two lines without a terminal: often enough to show that the job
// is alive, rarely enough to keep a CI log short.
const interval = 5 * time.Second

// Meter counts the progress of one job. It may be used from several goroutines. A nil *Meter
// does nothing, so code that reports progress needs no special case.
type Meter struct {
	label string
	total int64
	say   func(string)
	bar   *progressbar.ProgressBar
	now   func() time.Time

	mu   sync.Mutex
	done int64
	// before is what was already done when this job began.
	before   int64
	started  time.Time
	lastLine time.Time
}

// Lines returns a Meter that reports through say, at most one line every five seconds and one
// at the end. total is in bytes; 0 means unknown.
func Lines(label string, total int64, say func(string)) *Meter {
	m := &Meter{label: label, total: total, say: say, now: time.Now}
	m.started = m.now()
	m.lastLine = m.started
	return m
}

// Stderr returns a Meter that draws a bar on standard error if that is a terminal; otherwise
// it writes lines.
func Stderr(label string, total int64) *Meter {
	if !term.IsTerminal(int(os.Stderr.Fd())) {
		return Lines(label, total, func(line string) { fmt.Fprintln(os.Stderr, line) })
	}
	m := Lines(label, total, func(string) {})
	m.bar = progressbar.DefaultBytes(max(total, -1), label)
	return m
}

// Start continues where an earlier job stopped: done bytes count as finished, but not for the
// speed.
func (m *Meter) Start(done int64) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.before = done
	m.report(done)
}

// Add counts n more bytes.
func (m *Meter) Add(n int64) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.report(m.done + n)
}

// Set sets the total number of finished bytes to done.
func (m *Meter) Set(done int64) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.report(done)
}

// Note shows a message about the job immediately.
func (m *Meter) Note(text string) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.say(m.label + ": " + text)
}

// report must be called with the lock held.
func (m *Meter) report(done int64) {
	m.done = done
	if m.bar != nil {
		_ = m.bar.Set64(done)
		return
	}
	if now := m.now(); now.Sub(m.lastLine) >= interval {
		m.lastLine = now
		m.say(m.line(now))
	}
}

// Finish ends the report with the number of bytes and the duration.
func (m *Meter) Finish() {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.bar != nil {
		_ = m.bar.Finish()
		return
	}
	now := m.now()
	m.say(fmt.Sprintf("%s: %s in %s", m.label, Bytes(m.done), now.Sub(m.started).Round(100*time.Millisecond)))
}

// Reader returns a reader of r that counts what is read.
func (m *Meter) Reader(r io.Reader) io.Reader {
	return countingReader{r, m}
}

func (m *Meter) line(now time.Time) string {
	elapsed := now.Sub(m.started)
	rate := float64(m.done-m.before) / max(elapsed.Seconds(), 0.001)
	if m.total <= 0 {
		return fmt.Sprintf("%s: %s, %s/s", m.label, Bytes(m.done), Bytes(int64(rate)))
	}
	percent := 100 * float64(m.done) / float64(m.total)
	return fmt.Sprintf("%s: %.0f%% of %s, %s/s", m.label, percent, Bytes(m.total), Bytes(int64(rate)))
}

type countingReader struct {
	io.Reader
	meter *Meter
}

func (r countingReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	r.meter.Add(int64(n))
	return n, err
}

// Bytes formats a number of bytes in units of 1024: "14.3 GiB".
func Bytes(n int64) string {
	const unit = 1024
	if n < unit {
		return fmt.Sprintf("%d B", n)
	}
	size, suffix := float64(n)/unit, 0
	for size >= unit && suffix < len("KMGTPE")-1 {
		size /= unit
		suffix++
	}
	return fmt.Sprintf("%.1f %ciB", size, "KMGTPE"[suffix])
}
