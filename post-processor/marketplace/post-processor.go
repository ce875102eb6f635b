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

// PostProcessor publishes an image. The zero value is ready for Configure.
type PostProcessor struct {
	config Config
}

var _ packersdk.PostProcessor = (*PostProcessor)(nil)

// publication is the state that the steps of one run share.
type publication struct {
	disks []manifest.Disk
	app   app.App
	// For a catalog.
	base       catalog.BaseURL
	entries    []catalog.Entry
	signingKey *signature.Key
	catalog    *catalog.Catalog
	// communityFiles are the contents of the files of a pull request, by path.
	communityFiles map[string][]byte
	// communityDirectory is where they have been written.
	communityDirectory string
	// publisher is set if the app is published in a cloud.
	publisher *cloud.Publisher
	kept      kept
}

// ConfigSpec returns the schema of the configuration for Packer.
func (p *PostProcessor) ConfigSpec() hcldec.ObjectSpec {
	return p.config.FlatMapstructure().HCL2Spec()
}

// Configure decodes and checks the configuration; the error lists every mistake.
func (p *PostProcessor) Configure(raws ...any) error {
	return p.config.decode(raws...)
}

// PostProcess publishes the image of input. The input is always kept, because the images in
// a catalog may be hard links to it.
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
	// The preflight determines which steps follow.
	preflight := step.Of(&stepPreflight{config: &p.config, input: input, pub: pub, ui: ui})
	if err := step.Run(ctx, ui, p.config.PackerConfig, "publishing", preflight); err != nil {
		return err
	}
	steps, err := p.steps(ui, input, pub, abort)
	if err != nil {
		return err
	}
	return step.Run(ctx, ui, p.config.PackerConfig, "publishing", steps...)
}

// steps returns the steps of all configured destinations: first those that change nothing,
// then those that publish.
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

// rescued keeps the image if that has not been done, even after an interruption, and adds
// to err where it is.
func rescued(ctx context.Context, ui packersdk.Ui, err error, input packersdk.Artifact, pub *publication) error {
	if pub.kept.directory == "" && pub.disks != nil {
		if keepErr := pub.keep(context.WithoutCancel(ctx), ui, input); keepErr != nil {
			return errors.Join(err, keepErr)
		}
	}
	return pub.kept.tell(err)
}
