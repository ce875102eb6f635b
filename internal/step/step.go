// Package step is the one shape of a step of a build, and runs a list of them with
// Packer's own runner, so that -on-error and -debug work for all components.
package step

import (
	"context"

	"github.com/hashicorp/packer-plugin-sdk/multistep"
)

// Step does one thing of a run. What steps share is a struct of their component, which
// they embed.
type Step interface {
	Run(ctx context.Context) error
}

// Cleaner is a Step that leaves something to undo or to end. Cleanup is called once Run was,
// whatever came of it, in the reverse order of the steps; -on-error=abort leaves it out.
type Cleaner interface {
	Cleanup()
}

// Optional is a Step of which only the run itself finds out whether there is anything to
// do. One that is not needed for the configuration alone is not listed at all.
type Optional interface {
	Needed() bool
}

// Listed is a Step in the list of a run.
type Listed struct {
	Step Step

	multistep multistep.Step
}

// Of lists s.
func Of[S Step](s S) Listed {
	return Listed{s, &adapter[S]{step: s}}
}

// Keys of multistep's state. The first is the SDK's, which shows what it holds when
// -on-error says to ask or to abort.
const (
	stateError = "error"
	stateDone  = "steps done"
)

// adapter makes a step of multistep out of a Step. It is generic because the SDK tells
// users the name of its type, which then holds the name of the step.
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
	// A step that has succeeded when it was tried again leaves no error behind. (The SDK's
	// Remove takes no lock, and its runner writes at the same time.)
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

// done is how many steps have succeeded.
func done(state multistep.StateBag) int {
	n, _ := state.Get(stateDone).(int)
	return n
}
