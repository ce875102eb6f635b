package verify

import (
	"context"
	"fmt"
	"os"

	"github.com/hashicorp/packer-plugin-sdk/multistep"
	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/imageartifact"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/instance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/qemuimg"
)

// stepPreflight finds the image and everything that is needed to boot it.
type stepPreflight struct {
	config *Config
	input  packersdk.Artifact
	trial  *trial
}

func (s *stepPreflight) Run(ctx context.Context, state multistep.StateBag) multistep.StepAction {
	if err := s.prepare(ctx); err != nil {
		return halt(state, err)
	}
	return multistep.ActionContinue
}

func (s *stepPreflight) prepare(ctx context.Context) error {
	image, _, err := imageartifact.Find(s.input)
	if err != nil {
		return err
	}
	s.trial.image = image
	// From here on a failure keeps the image.
	if s.trial.before, err = os.Stat(image); err != nil {
		return fmt.Errorf("the image to verify: %w", err)
	}
	if err := s.config.checkKnown(); err != nil {
		return err
	}
	if err := instance.Available(); err != nil {
		return fmt.Errorf("verifying needs programs of this host:\n%w", err)
	}
	info, err := qemuimg.Inspect(ctx, image)
	if err != nil {
		return err
	}
	if info.Format != qemuimg.Format {
		return fmt.Errorf("the image %s is not a QCOW2 image, qemu-img calls it %q", image, info.Format)
	}
	return nil
}

func (s *stepPreflight) Cleanup(multistep.StateBag) {}
