package builder

import (
	"fmt"
	"io"
	"log"
	"strings"
	"sync"
	"time"

	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"
)

// watcher collects what QEMU's builder says goes wrong. That builder returns no more
// than "Build was halted." for a machine that does not start: the step's error goes to
// the user interface only, and the words of QEMU itself to the log only.
type watcher struct {
	packersdk.Ui

	mu     sync.Mutex
	errors []string
	qemu   []string
	// heard is closed by the first line of QEMU.
	heard chan struct{}
}

func newWatcher(ui packersdk.Ui) *watcher {
	return &watcher{Ui: ui, heard: make(chan struct{})}
}

// Error shows and collects.
func (w *watcher) Error(message string) {
	w.mu.Lock()
	w.errors = append(w.errors, message)
	w.mu.Unlock()
	w.Ui.Error(message)
}

// Errorf shows and collects.
func (w *watcher) Errorf(format string, arguments ...any) {
	w.Error(fmt.Sprintf(format, arguments...))
}

// Message drops the invitation to a VNC console, which this machine does not have.
func (w *watcher) Message(message string) {
	if !strings.Contains(message, "vnc://") {
		w.Say(message)
	}
}

// listen copies QEMU's words from the log until stop is called. The standard logger is
// the only place where that builder puts them.
func (w *watcher) listen() (stop func()) {
	previous := log.Writer()
	log.SetOutput(io.MultiWriter(previous, logLines{w}))
	return func() { log.SetOutput(previous) }
}

// logLines is an io.Writer that gets one log entry per call.
type logLines struct{ *watcher }

func (l logLines) Write(entry []byte) (int, error) {
	const marker = "Qemu stderr: "
	if _, line, found := strings.Cut(string(entry), marker); found {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.qemu == nil {
			close(l.heard)
		}
		l.qemu = append(l.qemu, strings.TrimSpace(line))
	}
	return len(entry), nil
}

// explain adds to err what was collected.
func (w *watcher) explain(err error) error {
	if strings.Contains(strings.Join(w.collected(), "\n"), "Qemu failed to start") {
		// QEMU's last words reach the log through a goroutine of their own.
		select {
		case <-w.heard:
		case <-time.After(time.Second):
		}
	}
	text := err.Error()
	for _, line := range w.collected() {
		if !strings.Contains(text, line) {
			text += "\n" + line
		}
	}
	if text == err.Error() {
		return err
	}
	return fmt.Errorf("%w%s", err, strings.TrimPrefix(text, err.Error()))
}

func (w *watcher) collected() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var lines []string
	lines = append(lines, w.errors...)
	for _, line := range w.qemu {
		lines = append(lines, "QEMU says: "+line)
	}
	return lines
}
