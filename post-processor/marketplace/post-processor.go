package marketplace

import (
	"context"
	"errors"
	"fmt"

	"github.com/hashicorp/hcl/v2/hcldec"
	"github.com/hashicorp/packer-plugin-sdk/multistep"
	"github.com/hashicorp/packer-plugin-sdk/multistep/commonsteps"
	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/app"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/catalog"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/signature"
	"github.com/slm-copilot/packer-plugin-slm-copilot/post-processor/marketplace/cloud"
)

// PostProcessor publishes an image. Its zero value is ready to be configured.
type PostProcessor struct {
	config Config
}

var _ packersdk.PostProcessor = (*PostProcessor)(nil)

// publication is what the steps of one run share.
type publication struct {
	disks []disk
	app   app.App
	// What follows is for a catalog.
	base       catalog.BaseURL
	entries    []catalog.Entry
	signingKey *signature.Key
	catalog    *catalog.Catalog
	// communityFiles are for a pull request, by name.
	communityFiles map[string][]byte
	// communityDirectory is where they have been written.
	communityDirectory string
	// publisher is for a cloud.
	publisher *cloud.Publisher
	kept      kept
	// finished is set when the last step has run.
	finished bool
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
	ctx, abort := context.WithCancelCause(ctx)
	defer abort(nil)
	pub := &publication{}
	state := new(multistep.BasicStateBag)
	prepare := []multistep.Step{&stepPreflight{config: &p.config, input: input, pub: pub}}
	commonsteps.NewRunner(prepare, p.config.PackerConfig, ui).Run(ctx, state)
	if pub.disks == nil || state.Get(stateError) != nil {
		return nil, true, true, rescued(failure(ctx, state), input, pub)
	}
	steps, err := p.steps(ui, input, pub, abort)
	if err != nil {
		return nil, true, true, rescued(err, input, pub)
	}
	commonsteps.NewRunner(steps, p.config.PackerConfig, ui).Run(ctx, state)
	if !pub.finished {
		return nil, true, true, rescued(failure(ctx, state), input, pub)
	}
	return newArtifact(pub), true, true, nil
}

// steps are those of the destinations that are given: first what changes nothing, for all
// of them, then what publishes.
func (p *PostProcessor) steps(ui packersdk.Ui, input packersdk.Artifact, pub *publication, abort context.CancelCauseFunc) ([]multistep.Step, error) {
	steps := []multistep.Step{&stepKeep{input: input, pub: pub}}
	if o := p.config.OpenNebula; o != nil {
		client, err := o.client(ui.Say)
		if err != nil {
			return nil, err
		}
		pub.publisher = &cloud.Publisher{
			Client: client, Transfer: o.Transfer.method(), Target: o.target(), Appliance: pub.appliance(),
			Say: ui.Say, DryRun: p.config.DryRun, Abort: abort,
		}
		steps = append(steps, pub.publisher.Preflight()...)
	}
	steps = append(steps, &stepProve{pub: pub, ui: ui})
	if p.config.DryRun {
		steps = append(steps, &stepForecast{config: &p.config, pub: pub, ui: ui})
	}
	if c := p.config.Catalog; c != nil && !p.config.DryRun {
		steps = append(steps,
			&stepOpenCatalog{directory: c.Directory, pub: pub, ui: ui},
			&stepPlaceImage{pub: pub, ui: ui},
			&stepWriteApp{pub: pub},
			&stepPublish{keepVersions: c.KeepVersions, pub: pub, ui: ui})
	}
	if c := p.config.Community; c != nil && !p.config.DryRun {
		steps = append(steps, &stepCommunity{config: c, pub: pub, ui: ui})
	}
	if pub.publisher != nil {
		steps = append(steps, pub.publisher.Steps()...)
	}
	return append(steps, &stepFinish{pub}), nil
}

func (p *publication) appliance() cloud.Appliance {
	a := cloud.Appliance{App: p.app}
	for _, d := range p.disks {
		a.Disks = append(a.Disks, cloud.Disk{Path: d.path, Manifest: d.manifest})
	}
	return a
}

// rescued adds to err where the image is kept, and keeps it if that has not been done.
func rescued(err error, input packersdk.Artifact, pub *publication) error {
	if pub.kept.directory == "" && pub.disks != nil {
		if keepErr := pub.keep(input); keepErr != nil {
			return errors.Join(err, keepErr)
		}
	}
	return pub.kept.tell(err)
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

// stepFinish marks the end.
type stepFinish struct{ pub *publication }

func (s *stepFinish) Run(context.Context, multistep.StateBag) multistep.StepAction {
	s.pub.finished = true
	return multistep.ActionContinue
}

func (s *stepFinish) Cleanup(multistep.StateBag) {}
