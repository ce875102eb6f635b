package step

import (
	"context"
	"errors"
	"fmt"
	"regexp"

	"github.com/hashicorp/packer-plugin-sdk/common"
	"github.com/hashicorp/packer-plugin-sdk/multistep"
	"github.com/hashicorp/packer-plugin-sdk/multistep/commonsteps"
	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"
)

// Run runs the steps in order, cleans up after them, and returns why they did not complete.
// The error of an interruption begins with doing, such as "publishing".
func Run(ctx context.Context, ui packersdk.Ui, config common.PackerConfig, doing string, steps ...Listed) error {
	list := make([]multistep.Step, len(steps))
	for i, listed := range steps {
		list[i] = listed.multistep
	}
	state := new(multistep.BasicStateBag)
	commonsteps.NewRunner(list, config, named{ui}).Run(ctx, state)
	if done(state) == len(steps) {
		return nil
	}
	return reason(ctx, state, doing)
}

// reason returns why a run did not complete, nil if it did.
func reason(ctx context.Context, state multistep.StateBag, doing string) error {
	err, failed := state.Get(stateError).(error)
	cause := context.Cause(ctx)
	switch {
	case cause == nil && failed:
		return err
	case cause == nil:
		return errors.New(doing + " ended before its last step")
	case failed && errors.Is(err, cause):
		return fmt.Errorf("%s was interrupted: %w", doing, err)
	case failed:
		return fmt.Errorf("%s was interrupted: %w: %w", doing, cause, err)
	default:
		return fmt.Errorf("%s was interrupted: %w", doing, cause)
	}
}

// named shows the names of steps without the names of adapter and package.
type named struct{ packersdk.Ui }

var adapterName = regexp.MustCompile(`adapter\[[^\]]*\.(\w+)\]`)

func (n named) Say(message string) { n.Ui.Say(adapterName.ReplaceAllString(message, "$1")) }

func (n named) Error(message string) { n.Ui.Error(adapterName.ReplaceAllString(message, "$1")) }

// Ask is called by -debug, with the name of the step it pauses after.
func (n named) Ask(query string) (string, error) {
	return n.Ui.Ask(adapterName.ReplaceAllString(query, "$1"))
}
