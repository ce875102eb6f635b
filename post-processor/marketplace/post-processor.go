package marketplace

import (
	"context"
	"errors"
	"fmt"

	"github.com/hashicorp/hcl/v2/hcldec"
	"github.com/hashicorp/packer-plugin-sdk/multistep"
	"github.com/hashicorp/packer-plugin-sdk/multistep/commonsteps"
	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/catalog"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/manifest"
)

// PostProcessor publishes an image. Its zero value is ready to be configured.
type PostProcessor struct {
	config Config
}

var _ packersdk.PostProcessor = (*PostProcessor)(nil)

// publication is what the steps of one run share.
type publication struct {
	image        string
	manifestPath string
	manifest     manifest.Manifest
	base         catalog.BaseURL
	entry        catalog.Entry
	catalog      *catalog.Catalog
	// listed is set when the app is in the list.
	listed bool
}

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

// PostProcess publishes the image of input. The input is always kept: the images of a
// catalog may be hard links to it.
func (p *PostProcessor) PostProcess(ctx context.Context, ui packersdk.Ui, input packersdk.Artifact) (packersdk.Artifact, bool, bool, error) {
	pub := &publication{}
	steps := []multistep.Step{
		&stepPreflight{config: &p.config, input: input, pub: pub, ui: ui},
		&stepOpenCatalog{directory: p.config.Catalog.Directory, pub: pub, ui: ui},
		&stepPlaceImage{pub: pub, ui: ui},
		&stepWriteApp{pub: pub},
		&stepPublish{pub: pub, ui: ui},
	}
	state := new(multistep.BasicStateBag)
	commonsteps.NewRunner(steps, p.config.PackerConfig, ui).Run(ctx, state)
	if !pub.listed {
		return nil, true, true, withRescue(failure(ctx, state), input, pub)
	}
	return newArtifact(pub), true, true, nil
}

// failure is why the steps did not reach their end.
func failure(ctx context.Context, state multistep.StateBag) error {
	if err, ok := state.Get(stateError).(error); ok {
		return err
	}
	if err := context.Cause(ctx); err != nil {
		return fmt.Errorf("publishing was interrupted: %w", err)
	}
	return errors.New("publishing ended before its last step")
}

// halt ends a run with err.
func halt(state multistep.StateBag, err error) multistep.StepAction {
	state.Put(stateError, err)
	return multistep.ActionHalt
}
