package marketplace

import (
	"context"
	"errors"

	"github.com/hashicorp/hcl/v2/hcldec"
	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/manifest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/app"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/catalog"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/signature"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/step"
	"github.com/slm-copilot/packer-plugin-slm-copilot/post-processor/marketplace/cloud"
)

// PostProcessor publishes an image. Its zero value is ready to be configured.
type PostProcessor struct {
	config Config
}

var _ packersdk.PostProcessor = (*PostProcessor)(nil)

// publication is what the steps of one run share.
type publication struct {
	disks []manifest.Disk
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
}

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
	if err := p.publish(ctx, ui, input, pub, abort); err != nil {
		return nil, true, true, rescued(ctx, ui, err, input, pub)
	}
	pub.kept.remove()
	return newArtifact(pub), true, true, nil
}

func (p *PostProcessor) publish(ctx context.Context, ui packersdk.Ui, input packersdk.Artifact, pub *publication, abort context.CancelCauseFunc) error {
	// What it finds decides about the steps that follow.
	preflight := step.Of(&stepPreflight{config: &p.config, input: input, pub: pub})
	if err := step.Run(ctx, ui, p.config.PackerConfig, "publishing", preflight); err != nil {
		return err
	}
	steps, err := p.steps(ui, input, pub, abort)
	if err != nil {
		return err
	}
	return step.Run(ctx, ui, p.config.PackerConfig, "publishing", steps...)
}

// steps are those of the destinations that are given: first what changes nothing, for all
// of them, then what publishes.
func (p *PostProcessor) steps(ui packersdk.Ui, input packersdk.Artifact, pub *publication, abort context.CancelCauseFunc) ([]step.Listed, error) {
	steps := []step.Listed{step.Of(&stepKeep{input: input, pub: pub, ui: ui})}
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
	steps = append(steps, step.Of(&stepProve{pub: pub, ui: ui}))
	if p.config.DryRun {
		steps = append(steps, step.Of(&stepDryRun{config: &p.config, pub: pub, ui: ui}))
	}
	if c := p.config.Catalog; c != nil && !p.config.DryRun {
		steps = append(steps,
			step.Of(&stepOpenCatalog{directory: c.Directory, pub: pub, ui: ui}),
			step.Of(&stepPlaceImage{pub: pub, ui: ui}),
			step.Of(&stepWriteApp{pub: pub}),
			step.Of(&stepPublish{keepVersions: c.KeepVersions, pub: pub, ui: ui}))
	}
	if c := p.config.Community; c != nil && !p.config.DryRun {
		steps = append(steps, step.Of(&stepCommunity{config: c, pub: pub, ui: ui}))
	}
	if pub.publisher != nil {
		steps = append(steps, pub.publisher.Steps()...)
	}
	return steps, nil
}

func (p *publication) appliance() cloud.Appliance {
	return cloud.Appliance{App: p.app, Disks: p.disks}
}

// rescued adds to err where the image is kept, and keeps it if that has not been done, after
// an interruption too.
func rescued(ctx context.Context, ui packersdk.Ui, err error, input packersdk.Artifact, pub *publication) error {
	if pub.kept.directory == "" && pub.disks != nil {
		if keepErr := pub.keep(context.WithoutCancel(ctx), ui, input); keepErr != nil {
			return errors.Join(err, keepErr)
		}
	}
	return pub.kept.tell(err)
}
