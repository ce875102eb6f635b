package verify

import (
	"context"
	"fmt"
	"os"

	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/hostprogram"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/artifact"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/manifest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/qemuimg"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/vm/accelerator"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/vm/contextiso"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/vm/instance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/vm/qemuvm"
)

// stepPreflight finds the image and everything that is needed to boot it.
type stepPreflight struct {
	config *Config
	input  packersdk.Artifact
	trial  *trial
	ui     packersdk.Ui
}

func (s *stepPreflight) Run(ctx context.Context) error {
	image, manifestPath, err := artifact.Find(s.input)
	if err != nil {
		return err
	}
	s.trial.image = image
	s.trial.modelImage, _ = s.input.State(appliance.StateModelImagePath).(string)
	s.trial.arch = architecture(manifestPath)
	if s.trial.before, err = os.Stat(image); err != nil {
		return fmt.Errorf("the image to verify: %w", err)
	}
	// From here on, a failure keeps the image.
	if err := s.trial.keep(ctx, s.ui.Say, s.input); err != nil {
		return fmt.Errorf("keep the image for the case that verifying fails: %w", err)
	}
	if err := s.config.check().UnknownErr(); err != nil {
		return err
	}
	if err := s.checkHost(ctx); err != nil {
		return fmt.Errorf("verifying needs programs of this host:\n%w", err)
	}
	if err := qemuimg.Check(ctx, image); err != nil {
		return err
	}
	if s.trial.modelImage != "" {
		return qemuimg.Check(ctx, s.trial.modelImage)
	}
	return nil
}

// checkHost first reports missing programs, then tries the ones that exist.
func (s *stepPreflight) checkHost(ctx context.Context) error {
	if err := instance.Available(s.trial.arch, s.config.Firmware); err != nil {
		return err
	}
	settled, _ := accelerator.Settle(s.config.Accelerator, s.trial.arch)
	return hostprogram.TryOut(ctx, qemuvm.TryOut(s.trial.arch, "", settled), qemuimg.TryOut, contextiso.TryOut)
}

// architecture returns Go's name of the image's architecture, amd64 if it has no manifest.
func architecture(manifestPath string) string {
	if m, err := manifest.Read(manifestPath); err == nil && m.OSArch == "aarch64" {
		return "arm64"
	}
	return "amd64"
}
