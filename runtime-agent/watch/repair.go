package watch

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/retry"
)

const (
	// A backend that keeps dying has a cause, mostly a lack of memory. tooMany repairs
	// within window are reported in the status, and from then on each waits for
	// backOffPauses pauses: one minute, with the pause of the real watch.
	tooMany       = 5
	window        = 10 * time.Minute
	backOffPauses = 30
	// stopLimit is more than the unit gives LocalAI to stop.
	stopLimit = 2 * time.Minute
)

// repair makes the LocalAI with that process id serve again: through its own routes, or else
// by a restart.
func (w *Watcher) repair(ctx context.Context, localAI int) {
	w.count(ctx, time.Now())
	started := time.Now()
	w.Log.Warn("watch: the backend of the engine ended; loading the model again")
	err := w.Engine.reload(ctx)
	switch {
	case err == nil:
		w.Log.Info("watch: the engine answers again, after %s", seconds(time.Since(started)))
	case ctx.Err() != nil: // interrupted; systemd knows why
	case disconnected(err) || !w.stillRuns(ctx, localAI):
		w.Log.Info("watch: LocalAI itself ended or is stopping, which systemd handles: %v", err)
		_ = retry.Sleep(ctx, w.Pause)
	default:
		w.Log.Error("watch: the model cannot be loaded again: %v; restarting %s", err, appliance.LocalAIUnit)
		w.restart(ctx, localAI)
	}
}

// disconnected distinguishes a LocalAI that ended during a call, or stops its backend before
// itself, from one that failed or took too long.
func disconnected(err error) bool {
	var answer *statusError
	return !errors.As(err, &answer) && !errors.Is(err, context.DeadlineExceeded)
}

// count records the repair, and slows down if there were too many.
func (w *Watcher) count(ctx context.Context, now time.Time) {
	w.repairs = append(recent(w.repairs, now), now)
	if len(w.repairs) < tooMany {
		return
	}
	reason := fmt.Errorf("the backend of the engine ended %d times within %s; is there enough memory? See: journalctl -k -u %s",
		len(w.repairs), window, appliance.LocalAIUnit)
	w.Log.Error("watch: %v", reason)
	w.Trouble(reason)
	_ = retry.Sleep(ctx, backOffPauses*w.Pause)
}

// recent drops the times outside the window.
func recent(times []time.Time, now time.Time) []time.Time {
	for len(times) > 0 && now.Sub(times[0]) > window {
		times = times[1:]
	}
	return times
}

// stillRuns reports whether the LocalAI that failed is still running. If somebody else has
// restarted it, it must not be restarted twice.
func (w *Watcher) stillRuns(ctx context.Context, localAI int) bool {
	state, err := w.Units.State(ctx, appliance.LocalAIUnit)
	return err != nil || state.Active && state.MainPID == localAI
}

// restart restarts the unit and returns when the old LocalAI has ended: from then on its port
// is closed until the model is loaded, which is enough for nginx, and the new one is watched.
func (w *Watcher) restart(ctx context.Context, localAI int) {
	if err := w.Units.TryRestart(ctx, appliance.LocalAIUnit); err != nil {
		w.Log.Error("watch: %v", err)
		_ = retry.Sleep(ctx, backOffPauses*w.Pause)
		return
	}
	stopping, cancel := context.WithTimeout(ctx, stopLimit)
	defer cancel()
	if err := waitForEnd(stopping, localAI); err != nil && ctx.Err() == nil {
		w.Log.Error("watch: LocalAI does not stop: %v", err)
	}
}
