package fetch

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/progress"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/retry"
)

// leastProgress is how many bytes a server must send in Fetcher.stall, about a kilobyte a second:
// what comes more slowly than over a modem is not a download that will ever end.
const leastProgress = 64 << 10

// watchdog ends an attempt whose server sends nothing, or next to nothing.
type watchdog struct {
	stall time.Duration
	timer *time.Timer

	mu sync.Mutex
	// received counts the bytes since the timer was last set.
	received int64
}

func newWatchdog(stall time.Duration, cancel context.CancelCauseFunc) *watchdog {
	w := &watchdog{stall: stall}
	w.timer = time.AfterFunc(stall, func() { cancel(retry.Temporary(w.failure())) })
	return w
}

func (w *watchdog) stop() { w.timer.Stop() }

func (w *watchdog) alive(bytes int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.received += int64(bytes); w.received >= leastProgress {
		w.received = 0
		w.timer.Reset(w.stall)
	}
}

func (w *watchdog) failure() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.received == 0 {
		return fmt.Errorf("the server sent nothing for %s", w.stall)
	}
	return fmt.Errorf("the server sent only %s in %s, and less than %s in that time is taken for a connection that hangs",
		progress.Bytes(w.received), w.stall, progress.Bytes(leastProgress))
}
