package watch

import (
	"context"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/retry"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/logfile"
)

// maxSilent is how many looks in a row an appliance may not answer: a repair takes less than one
// pause mostly, and nobody needs to know of it.
const maxSilent = 2

// Readiness notices when an appliance that was ready stops answering, whatever the reason, and
// restarts bootstrap: that one says so in the status, the message of the day and to OneGate, and
// takes it back when the model answers again.
type Readiness struct {
	// Ready reports whether the stored status says that the appliance is ready.
	Ready func() (bool, error)
	// Answers returns why it does not answer, nil if it does.
	Answers func(context.Context) error
	Units   interface {
		TryRestart(ctx context.Context, unit string) error
	}
	// Pause is the time between two looks.
	Pause time.Duration
	Log   *logfile.Log

	// silent is the number of looks in a row without an answer.
	silent int
}

// Run looks until ctx ends.
func (r *Readiness) Run(ctx context.Context) {
	for retry.Sleep(ctx, r.Pause) == nil {
		r.look(ctx)
	}
}

func (r *Readiness) look(ctx context.Context) {
	ready, err := r.Ready()
	if err != nil || !ready {
		r.silent = 0 // bootstrap or configure is at work, or has said what is wrong
		return
	}
	err = r.Answers(ctx)
	if err == nil || ctx.Err() != nil {
		r.silent = 0
		return
	}
	if r.silent++; r.silent < maxSilent {
		return
	}
	r.silent = 0
	r.Log.Error("watch: the appliance does not answer any more: %v; %s waits for it", err, appliance.BootstrapUnit)
	if err := r.Units.TryRestart(ctx, appliance.BootstrapUnit); err != nil {
		r.Log.Error("watch: %v", err)
	}
}
