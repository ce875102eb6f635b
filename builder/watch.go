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

// watcher makes what QEMU's builder says fit for our users, and collects what it says goes
// wrong. That builder returns no more
// than "Build was halted." for a machine that does not start: the step's error goes to
// the user interface only, and the words of QEMU itself to the log only.
type watcher struct {
	packersdk.Ui
	work *build

	mu sync.Mutex
	// endWait stops the signs of life while that builder waits in silence; closed is true
	// once it has returned.
	endWait func()
	closed  bool
	errors  []string
	qemu    []string
	// heard is closed by the first line of QEMU.
	heard chan struct{}
}

func newWatcher(ui packersdk.Ui, work *build) *watcher {
	return &watcher{Ui: ui, work: work, heard: make(chan struct{}), endWait: func() {}}
}

// silences are what that builder says before it waits without a word, and for what.
var silences = map[string]string{
	"Waiting for SSH to become available...": "SSH",
	"Gracefully halting virtual machine...":  "the machine to power off",
}

// Say shows. The directory that is deleted after a failure is not the output directory that
// the user knows.
func (w *watcher) Say(message string) {
	if message == "Deleting output directory..." {
		message = "Deleting the working directory of this unfinished build, " + w.work.config.partialDirectory() + "; what was finished before stays"
	}
	// What a wait says does not come after what ended it.
	w.await("")
	w.Ui.Say(message)
	w.await(silences[message])
}

// await ends the wait before, and begins one if anything is awaited.
func (w *watcher) await(awaited string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.endWait()
	if awaited != "" && !w.closed {
		w.endWait = w.work.waiting(w.Ui.Say, awaited)
	}
}

// close ends the last wait. That builder may still say something: it starts goroutines
// that it does not wait for.
func (w *watcher) close() {
	w.await("")
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
}

// Error shows and collects.
func (w *watcher) Error(message string) {
	w.await("")
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
