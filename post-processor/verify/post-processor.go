package verify

import (
	"context"
	"errors"

	"github.com/hashicorp/hcl/v2/hcldec"
	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/step"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/vm/firmware"
)

// PostProcessor verifies an image. The zero value is ready for Configure.
type PostProcessor struct {
	config Config
}

var _ packersdk.PostProcessor = (*PostProcessor)(nil)

// ConfigSpec returns the schema of the configuration for Packer.
func (p *PostProcessor) ConfigSpec() hcldec.ObjectSpec {
	return p.config.FlatMapstructure().HCL2Spec()
}

// Configure decodes and checks the configuration; the error lists every mistake.
func (p *PostProcessor) Configure(raws ...any) error {
	return p.config.decode(raws...)
}

// PostProcess verifies the image of input. The input is always kept, because the returned
// artifact refers to its image.
func (p *PostProcessor) PostProcess(ctx context.Context, ui packersdk.Ui, input packersdk.Artifact) (packersdk.Artifact, bool, bool, error) {
	t := &trial{}
	err := step.Run(ctx, ui, p.config.PackerConfig, "verifying", p.steps(t, ui, input)...)
	switch {
	case err != nil && ctx.Err() != nil:
		// Nothing failed, so there is no evidence to keep.
		return nil, true, true, errors.Join(err, t.letGo())
	case err != nil:
		return nil, true, true, p.withEvidence(err, t)
	}
	reports, err := writeReports(t.image, t.report)
	if err = errors.Join(err, t.record(t.image)); err != nil {
		return nil, true, true, p.withEvidence(err, t)
	}
	if err := t.letGo(); err != nil {
		ui.Errorf("Could not remove what was kept in case of a failure: %v", err)
	}
	ui.Say("The image has passed: " + reports[0])
	return newArtifact(input, t.image, reports), true, true, nil
}

func (p *PostProcessor) steps(t *trial, ui packersdk.Ui, input packersdk.Artifact) []step.Listed {
	steps := []step.Listed{
		step.Of(&stepPreflight{config: &p.config, input: input, trial: t, ui: ui}),
		step.Of(&stepCreate{config: &p.config, trial: t, ui: ui}),
		step.Of(&stepBoot{name: "first boot", uefi: p.config.Firmware == firmware.UEFI, trial: t, ui: ui}),
		step.Of(&stepCheck{trial: t, ui: ui}),
	}
	if !p.config.Reboot.False() {
		steps = append(steps,
			step.Of(&stepPowerDown{trial: t, ui: ui}),
			step.Of(&stepBoot{name: "boot after the power cycle", uefi: p.config.Firmware != firmware.BIOS, trial: t, ui: ui}),
			step.Of(&stepCheck{trial: t, ui: ui}),
		)
	}
	return append(steps, step.Of(&stepConclude{trial: t}))
}
