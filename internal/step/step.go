// Package step defines the steps of a build, and runs a list of them with Packer's own runner,
// so that -on-error and -debug work for all components.
package step

import (
	"context"

	"github.com/hashicorp/packer-plugin-sdk/multistep"
)

// Step is one step of a run. The state that steps share is a struct of their component, which
// they embed.
type Step interface {
	Run(ctx context.Context) error
}

// Cleaner is a Step that leaves something to undo or to end. Cleanup is called after Run,
// whatever its result, in the reverse order of the steps; -on-error=abort skips it.
type Cleaner interface {
	Cleanup()
}

// Optional is a Step for which only the run itself can determine whether there is anything to
// do. A step that the configuration makes unnecessary is not listed at all.
type Optional interface {
	Needed() bool
}

// Listed is a Step in the list of a run.
type Listed struct {
	Step Step

	multistep multistep.Step
}

// Of returns s as a Listed.
func Of[S Step](s S) Listed {
	return Listed{s, &adapter[S]{step: s}}
}

// Keys of multistep's state. The first is the SDK's, which shows its value for -on-error=ask
// and -on-error=abort.
const (
	stateError = "error"
	stateDone  = "steps done"
)

// adapter adapts a Step to multistep. It is generic because the SDK shows users its type name,
// which then contains the name of the step.
type adapter[S Step] struct {
	step S
	ran  bool
}

func (a *adapter[S]) Run(ctx context.Context, state multistep.StateBag) multistep.StepAction {
	if optional, ok := any(a.step).(Optional); !ok || optional.Needed() {
		a.ran = true
		if err := a.step.Run(ctx); err != nil {
			state.Put(stateError, err)
			return multistep.ActionHalt
		}
	}
	// A step that succeeded when it was retried leaves no error behind. (The SDK's Remove
	// takes no lock, and its runner writes concurrently.)
	if _, failed := state.GetOk(stateError); failed {
		state.Put(stateError, nil)
	}
	state.Put(stateDone, done(state)+1)
	return multistep.ActionContinue
}

func (a *adapter[S]) Cleanup(multistep.StateBag) {
	if cleaner, ok := any(a.step).(Cleaner); ok && a.ran {
		cleaner.Cleanup()
	}
}

// done returns how many steps have succeeded.
func done(state multistep.StateBag) int {
	n, _ := state.Get(stateDone).(int)
	return n
}
