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

// watcher is the Ui passed to the builder of packer-plugin-qemu. It rewrites that builder's
// messages for our users and collects the errors. If a machine does not start, that builder
// returns only "Build was halted.": the error of the step goes only to the Ui, and QEMU's
// own messages go only to the log.
type watcher struct {
	packersdk.Ui
	work *build

	mu sync.Mutex
	// endWait stops the progress messages of the current wait; closed is set once that
	// builder has returned.
	endWait func()
	closed  bool
	errors  []string
	qemu    []string
	// heard is closed when QEMU has printed its first line.
	heard chan struct{}
}

func newWatcher(ui packersdk.Ui, work *build) *watcher {
	return &watcher{Ui: ui, work: work, heard: make(chan struct{}), endWait: func() {}}
}

// silences maps the messages after which that builder waits in silence to what it waits
// for.
var silences = map[string]string{
	"Waiting for SSH to become available...": "SSH",
	"Gracefully halting virtual machine...":  "the machine to power off",
}

// Say passes the message on. It rewrites one that says "output directory" but means the
// working directory, since users know another output directory.
func (w *watcher) Say(message string) {
	if message == "Deleting output directory..." {
		message = "Deleting the working directory of this unfinished build, " + w.work.config.partialDirectory() + "; what was finished before stays"
	}
	// End the wait first, so that its messages do not follow the one that ended it.
	w.await("")
	w.Ui.Say(message)
	w.await(silences[message])
}

// await ends the current wait, and begins a new one unless awaited is empty.
func (w *watcher) await(awaited string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.endWait()
	if awaited != "" && !w.closed {
		w.endWait = w.work.waiting(w.Ui.Say, awaited)
	}
}

// close ends the last wait for good: goroutines that the builder left running may still
// print.
func (w *watcher) close() {
	w.await("")
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
}

// Error ends the wait, records the message for explain, and passes it on.
func (w *watcher) Error(message string) {
	w.await("")
	w.mu.Lock()
	w.errors = append(w.errors, message)
	w.mu.Unlock()
	w.Ui.Error(message)
}

// Errorf formats its arguments and calls Error.
func (w *watcher) Errorf(format string, arguments ...any) {
	w.Error(fmt.Sprintf(format, arguments...))
}

// Message drops the invitation to connect by VNC, which this machine does not have.
func (w *watcher) Message(message string) {
	if !strings.Contains(message, "vnc://") {
		w.Say(message)
	}
}

// listen collects QEMU's messages from the standard logger until stop is called, because
// that builder writes them nowhere else.
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

// explain adds the collected messages to err.
func (w *watcher) explain(err error) error {
	if strings.Contains(strings.Join(w.collected(), "\n"), "Qemu failed to start") {
		// Another goroutine copies QEMU's last messages to the log, so give it a second.
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
