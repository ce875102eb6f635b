// Package watch loads the model again when the engine's backend dies. The backend is a child
// process of LocalAI. LocalAI notices its death after up to 30 s, and answers every request
// with a 500 until then (measured on v4.9.0: 32 s, 117 errors). Its own routes to unload and
// to load a model fix that at once (measured: 2.3 s).
package watch

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/retry"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/logfile"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/systemd"
)

// Units is what the watch needs of systemd.
type Units interface {
	State(ctx context.Context, unit string) (systemd.State, error)
	TryRestart(ctx context.Context, unit string) error
}

// Watcher watches the one engine of the machine.
type Watcher struct {
	Units  Units
	Engine Engine
	// ReloadingFile exists while the engine is repaired: nginx answers 503 then.
	ReloadingFile string
	// Pause is the time between two looks while there is nothing to wait for.
	Pause time.Duration
	Log   *logfile.Log
	// Trouble is called when the backend keeps ending.
	Trouble func(reason error)
	// Started is called when there is an engine that was not there before: it has read nothing yet.
	Started func()

	// repairs are the times of the last ones.
	repairs []time.Time
	// said is the last error of a look, which is logged once.
	said string
	// started are the backends of the engine that Started was called for.
	started []int
}

// Run watches until ctx ends.
func (w *Watcher) Run(ctx context.Context) {
	// The file must exist only during a repair; a watch that was killed may have left it.
	w.open()
	defer w.open()
	for ctx.Err() == nil {
		w.step(ctx)
	}
}

// sight is the observed state of the engine.
type sight struct {
	// active means that LocalAI runs and is not being stopped.
	active  bool
	localAI int
	// backends are its child processes.
	backends []int
	// answers means that its port is open.
	answers bool
}

type action int

const (
	lookAgain action = iota
	await
	repair
)

// decide says what to do. LocalAI opens its port when it has loaded the model; so if the
// port is open and there is no backend, it died. A LocalAI that does not answer either is
// starting or stopping, which systemd handles.
func decide(s sight) action {
	switch {
	case s.active && len(s.backends) > 0:
		return await
	case s.active && s.answers:
		return repair
	}
	return lookAgain
}

func (w *Watcher) step(ctx context.Context) {
	s, err := w.look(ctx)
	w.sayOnce(err)
	switch decide(s) {
	case await:
		if !slices.Equal(s.backends, w.started) {
			w.started = s.backends
			w.Started()
		}
		w.open()
		w.sayOnce(w.await(ctx, s))
	case repair:
		w.close()
		w.repair(ctx, s.localAI)
	default:
		w.open()
		_ = retry.Sleep(ctx, w.Pause)
	}
}

func (w *Watcher) look(ctx context.Context) (sight, error) {
	state, err := w.Units.State(ctx, appliance.LocalAIUnit)
	if err != nil {
		return sight{}, err
	}
	if !state.Active || state.MainPID == 0 {
		return sight{}, nil
	}
	// In this order: a LocalAI that starts has its backend before its port is open, and one
	// that stops may have lost both. Neither must look like one whose backend died.
	s := sight{localAI: state.MainPID}
	s.answers = w.Engine.answers(ctx)
	s.backends = children(s.localAI)
	_, s.active = parentOf(s.localAI)
	return s, nil
}

// await returns when something about the engine has changed. From then on nginx answers 503,
// because it takes a moment to find out what it was.
func (w *Watcher) await(ctx context.Context, s sight) error {
	if err := waitForEnd(ctx, append(s.backends, s.localAI)...); err != nil {
		if ctx.Err() == nil {
			_ = retry.Sleep(ctx, w.Pause) // it will most likely fail again
			return err
		}
		return nil
	}
	w.close()
	return nil
}

func (w *Watcher) sayOnce(err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	if text != "" && text != w.said {
		w.Log.Warn("watch: %s", text)
	}
	w.said = text
}

// close has nginx answer 503. The repair goes on even if that fails.
func (w *Watcher) close() {
	err := os.MkdirAll(filepath.Dir(w.ReloadingFile), 0o755)
	if err == nil {
		err = os.WriteFile(w.ReloadingFile, nil, 0o644)
	}
	if err != nil {
		w.Log.Warn("watch: clients get errors while the engine is repaired: %v", err)
	}
}

// open has nginx pass requests on.
func (w *Watcher) open() {
	if err := os.Remove(w.ReloadingFile); err != nil && !os.IsNotExist(err) {
		w.Log.Error("watch: nginx keeps answering 503: %v", err)
	}
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }
