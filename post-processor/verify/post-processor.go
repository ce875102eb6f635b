package verify

import (
	"context"
	"errors"
	"fmt"

	"github.com/hashicorp/hcl/v2/hcldec"
	"github.com/hashicorp/packer-plugin-sdk/multistep"
	"github.com/hashicorp/packer-plugin-sdk/multistep/commonsteps"
	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/vm/firmware"
)

// PostProcessor proves an image. Its zero value is ready to be configured.
type PostProcessor struct {
	config Config
}

var _ packersdk.PostProcessor = (*PostProcessor)(nil)

// stateError is the key under which Packer's runner looks for the error of a step.
const stateError = "error"

// ConfigSpec describes the configuration to Packer.
func (p *PostProcessor) ConfigSpec() hcldec.ObjectSpec {
	return p.config.FlatMapstructure().HCL2Spec()
}

// Configure reads and checks the configuration; the error lists every mistake.
func (p *PostProcessor) Configure(raws ...any) error {
	return p.config.decode(raws...)
}

// PostProcess proves the image of input. The input is always kept: it is the image that
// the returned artifact speaks of.
func (p *PostProcessor) PostProcess(ctx context.Context, ui packersdk.Ui, input packersdk.Artifact) (packersdk.Artifact, bool, bool, error) {
	t := &trial{}
	state := new(multistep.BasicStateBag)
	commonsteps.NewRunner(p.steps(t, ui, input), p.config.PackerConfig, ui).Run(ctx, state)
	if !t.passed {
		return nil, true, true, p.failure(ctx, state, t)
	}
	reports, err := writeReports(t.image, t.report)
	if err != nil {
		return nil, true, true, p.withEvidence(err, t)
	}
	if err := t.letGo(); err != nil {
		ui.Errorf("Could not remove what was kept in case of a failure: %v", err)
	}
	ui.Say("The image has passed: " + reports[0])
	return newArtifact(input, t.image, reports), true, true, nil
}

func (p *PostProcessor) steps(t *trial, ui packersdk.Ui, input packersdk.Artifact) []multistep.Step {
	steps := []multistep.Step{
		&stepPreflight{config: &p.config, input: input, trial: t},
		&stepCreate{config: &p.config, trial: t, ui: ui},
		&stepBoot{name: "first boot", uefi: p.config.Firmware == firmware.UEFI, trial: t, ui: ui},
		&stepCheck{trial: t, ui: ui},
	}
	if !p.config.Reboot.False() {
		steps = append(steps,
			&stepPowerDown{trial: t, ui: ui},
			&stepBoot{name: "boot after the power cycle", uefi: p.config.Firmware != firmware.BIOS, trial: t, ui: ui},
			&stepCheck{trial: t, ui: ui},
		)
	}
	return append(steps, &stepConclude{trial: t})
}

// failure is why the steps did not reach their end. What an interrupted trial leaves is
// not worth keeping, since nothing failed.
func (p *PostProcessor) failure(ctx context.Context, state multistep.StateBag, t *trial) error {
	if cause := context.Cause(ctx); cause != nil {
		return errors.Join(fmt.Errorf("verifying was interrupted: %w", cause), t.letGo())
	}
	err, ok := state.Get(stateError).(error)
	if !ok {
		err = errors.New("verifying ended before its last step")
	}
	return p.withEvidence(err, t)
}

// halt ends a run with err.
func halt(state multistep.StateBag, err error) multistep.StepAction {
	state.Put(stateError, err)
	return multistep.ActionHalt
}
