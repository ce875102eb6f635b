package builder

import (
	"context"
	"errors"

	"github.com/hashicorp/hcl/v2/hcldec"
	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/step"
)

// Builder implements the Packer source "slm-copilot". The zero value is ready for Prepare.
type Builder struct {
	config Config
}

// ConfigSpec returns the schema of the block for Packer.
func (b *Builder) ConfigSpec() hcldec.ObjectSpec {
	return b.config.FlatMapstructure().HCL2Spec()
}

// Prepare decodes the block and reports every mistake in it. generated lists the names of
// the values that provisioners and post-processors can read as build.<name>.
func (b *Builder) Prepare(raws ...any) (generated, warnings []string, err error) {
	warnings, err = b.config.decode(raws...)
	if err != nil {
		return nil, warnings, err
	}
	return generatedNames(), warnings, nil
}

// Run builds the image. However it ends, no process is left running. A failed build keeps
// its console log, and if it fails after the machine was shut down, all its files.
func (b *Builder) Run(ctx context.Context, ui packersdk.Ui, hook packersdk.Hook) (packersdk.Artifact, error) {
	work := newBuild(&b.config, ui)
	err := step.Run(ctx, ui, b.config.PackerConfig, "the build", work.steps(hook)...)
	if ctx.Err() != nil {
		return nil, errors.New("the build was cancelled")
	}
	if err != nil {
		return nil, err
	}
	return newArtifact(work), nil
}

func (b *build) steps(hook packersdk.Hook) []step.Listed {
	steps := []step.Listed{
		step.Of(&stepCheckHost{b}),
		step.Of(&stepFetch{b}),
		step.Of(&stepLockOutput{build: b}),
		step.Of(&stepCheckSpace{b}),
	}
	if b.config.ModelDisk {
		steps = append(steps, step.Of(&stepModelDisk{b}))
	}
	return append(steps,
		step.Of(&stepRunMachine{b, hook}),
		step.Of(&stepCompact{b}),
		step.Of(&stepDescribe{b}),
		step.Of(&stepRecord{b}),
		step.Of(&stepInspect{b}),
		step.Of(&stepPublish{b}),
	)
}
