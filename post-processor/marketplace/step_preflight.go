package marketplace

import (
	"context"
	"fmt"

	"github.com/hashicorp/packer-plugin-sdk/multistep"
	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/catalog"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/digest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/imageartifact"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/manifest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/marketapp"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/progress"
)

// stepPreflight finds the image, proves it against its manifest, and decides what will be
// published. It changes nothing.
type stepPreflight struct {
	config *Config
	input  packersdk.Artifact
	pub    *publication
	ui     packersdk.Ui
}

func (s *stepPreflight) Run(ctx context.Context, state multistep.StateBag) multistep.StepAction {
	if err := s.prepare(ctx); err != nil {
		return halt(state, err)
	}
	return multistep.ActionContinue
}

func (s *stepPreflight) prepare(ctx context.Context) (err error) {
	s.pub.image, s.pub.manifestPath, err = imageartifact.Find(s.input)
	if err != nil {
		return err
	}
	if model, split := s.input.State(appliance.StateModelImagePath).(string); split {
		return fmt.Errorf("the weights are on a disk of their own (%s), which this post-processor cannot publish yet; "+
			"build without model_disk, or leave this post-processor out", model)
	}
	if err := s.config.checkKnown(); err != nil {
		return err
	}
	s.pub.manifest, err = manifest.Read(s.pub.manifestPath)
	if err != nil {
		return fmt.Errorf(`%w; the source "slm-copilot" writes a manifest beside each image it builds`, err)
	}
	if s.pub.manifest.OSID == "" {
		return fmt.Errorf("%s holds no operating system, only data: it is no appliance", s.pub.image)
	}
	if err := s.prove(ctx); err != nil {
		return err
	}
	s.pub.base, err = catalog.ParseBaseURL(s.config.Catalog.BaseURL)
	if err != nil {
		return fmt.Errorf("catalog.base_url: %w", err)
	}
	app := s.config.App.withDefaults()
	app.Version = orDefault(app.Version, s.pub.manifest.Version)
	if err := marketapp.CheckVersion(app.Version); err != nil {
		return fmt.Errorf("app.version: %w, got %q", err, app.Version)
	}
	s.pub.entry, err = catalog.NewEntry(app, s.pub.manifest, s.pub.base)
	return err
}

func (s *stepPreflight) prove(ctx context.Context) error {
	s.ui.Say("Checking the image " + s.pub.image + " against its manifest")
	meter := progress.Lines("check", s.pub.manifest.FileSize, s.ui.Say)
	is, err := digest.File(ctx, s.pub.image, meter)
	if err != nil {
		return fmt.Errorf("read the image: %w", err)
	}
	meter.Finish()
	return checkDigests(s.pub.image, s.pub.manifest, is)
}

func (s *stepPreflight) Cleanup(multistep.StateBag) {}
