package builder

import (
	"context"
	"errors"

	"github.com/hashicorp/hcl/v2/hcldec"
	"github.com/hashicorp/packer-plugin-sdk/multistep"
	"github.com/hashicorp/packer-plugin-sdk/multistep/commonsteps"
	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"
)

// Builder is the source "slm-copilot". The zero value is ready for Prepare.
type Builder struct {
	config Config
}

// ConfigSpec tells Packer which attributes the block may hold.
func (b *Builder) ConfigSpec() hcldec.ObjectSpec {
	return b.config.FlatMapstructure().HCL2Spec()
}

// Prepare reads the block, reports every mistake in it, and names what provisioners and
// post-processors find as build.<name>.
func (b *Builder) Prepare(raws ...any) (generated, warnings []string, err error) {
	warnings, err = b.config.decode(raws...)
	if err != nil {
		return nil, warnings, err
	}
	return generatedNames(), warnings, nil
}

// Run builds the image. Whatever way it ends, no process is left. A build that fails leaves
// its console log, and once the machine is finished all that it has made.
func (b *Builder) Run(ctx context.Context, ui packersdk.Ui, hook packersdk.Hook) (packersdk.Artifact, error) {
	work := newBuild(&b.config)
	steps := []multistep.Step{
		&stepCheckHost{work},
		&stepFetch{work},
		&stepClaimOutput{build: work},
		&stepCheckSpace{work},
		&stepModelDisk{work},
		&stepRunMachine{work, hook},
		&stepCompact{work},
		&stepDescribe{work},
		&stepRecord{work},
		&stepInspect{work},
		&stepPublish{work},
	}
	state := new(multistep.BasicStateBag)
	state.Put(stateUI, ui)
	commonsteps.NewRunnerWithPauseFn(steps, b.config.PackerConfig, ui, state).Run(ctx, state)

	if ctx.Err() != nil {
		return nil, errors.New("the build was cancelled")
	}
	if err, failed := state.GetOk(stateError); failed {
		return nil, err.(error)
	}
	if !work.published {
		return nil, errors.New("the build was halted")
	}
	return newArtifact(work), nil
}

// Keys of the state bag. Both are the SDK's; everything else the steps share is typed
// and stands in build.
const (
	stateUI    = "ui"
	stateError = "error"
)

// fail ends the build with err.
func fail(state multistep.StateBag, err error) multistep.StepAction {
	state.Put(stateError, err)
	return multistep.ActionHalt
}

func uiOf(state multistep.StateBag) packersdk.Ui {
	return state.Get(stateUI).(packersdk.Ui)
}
