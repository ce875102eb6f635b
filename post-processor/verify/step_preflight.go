package verify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
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
	if err := s.find(); err != nil {
		return err
	}
	// From here on, a failure keeps the image.
	if err := s.trial.keep(ctx, s.ui.Say, s.input); err != nil {
		return fmt.Errorf("keep the image for the case that verifying fails: %w", err)
	}
	if err := s.config.check().UnknownErr(); err != nil {
		return err
	}
	if err := errors.Join(s.settle(), s.checkHost(ctx)); err != nil {
		return err
	}
	return s.checkImages(ctx)
}

// find takes the image, its manifest and its model disk from the artifact.
func (s *stepPreflight) find() error {
	image, manifestPath, err := artifact.Find(s.input)
	if err != nil {
		return err
	}
	s.trial.image = image
	s.trial.modelImage, _ = s.input.State(appliance.StateModelImagePath).(string)
	if s.trial.before, err = os.Stat(image); err != nil {
		return fmt.Errorf("the image to verify: %w", err)
	}
	m, err := manifest.Read(manifestPath)
	switch {
	case err == nil:
		s.trial.manifest = &m
		return manifest.CheckDisks(m, s.trial.modelImage != "")
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	return nil
}

// settle decides on the model and the memory, which follow the manifest unless the template
// has them. It refuses a machine in which the model would not start: the agent would say so
// too, minutes later.
func (s *stepPreflight) settle() error {
	m := manifest.Manifest{}
	if s.trial.manifest != nil {
		m = *s.trial.manifest
	}
	served, err := m.Serving(s.config.settings().Model)
	if err != nil {
		return fmt.Errorf("context: %w", err)
	}
	s.trial.model = cmp.Or(s.config.ModelID, served.ModelID, appliance.ModelID)
	s.trial.memoryMiB = cmp.Or(s.config.Memory, served.MemoryMiB, appliance.MemoryMiB)
	var mistakes []error
	if served.ModelID != "" && s.trial.model != served.ModelID {
		mistakes = append(mistakes, fmt.Errorf("model_id: %s, but by its manifest the image serves %s; leave model_id out", s.trial.model, served.ModelID))
	}
	if s.trial.memoryMiB < served.MinMemoryMiB {
		mistakes = append(mistakes, fmt.Errorf("memory: %d MiB are too few for the model to start, by the manifest of the image it needs %d; leave memory out for the %d that it wants",
			s.trial.memoryMiB, served.MinMemoryMiB, served.MemoryMiB))
	}
	if err := qemuvm.CheckMemory(s.trial.memoryMiB); err != nil {
		err = fmt.Errorf("memory: %w", err)
		if served.MinMemoryMiB > 0 {
			err = fmt.Errorf("%w; the model starts with %d MiB, and a shorter context: set memory to that or more", err, served.MinMemoryMiB)
		}
		mistakes = append(mistakes, err)
	}
	return errors.Join(mistakes...)
}

// checkHost first reports missing programs, then tries the ones that exist.
func (s *stepPreflight) checkHost(ctx context.Context) error {
	arch := s.trial.arch()
	err := instance.Available(arch, s.config.Firmware)
	if err == nil {
		settled, _ := accelerator.Settle(s.config.Accelerator, arch)
		err = hostprogram.TryOut(ctx, qemuvm.TryOut(arch, "", settled), qemuimg.TryOut, contextiso.TryOut)
	}
	if err != nil {
		return fmt.Errorf("verifying needs programs of this host:\n%w", err)
	}
	return nil
}

// checkImages makes sure that what boots is what the manifests describe. The check of an image
// without a manifest is that it is undamaged.
func (s *stepPreflight) checkImages(ctx context.Context) error {
	t := s.trial
	if t.manifest == nil {
		s.ui.Say("The image has no manifest: the outcome is recorded in the reports alone")
		if err := qemuimg.Check(ctx, t.image); err != nil {
			return err
		}
	} else if err := (manifest.Disk{Path: t.image, Manifest: *t.manifest}).Check(ctx, s.ui.Say); err != nil {
		return err
	}
	if t.modelImage == "" {
		return nil
	}
	disk, err := manifest.ReadDisk(t.modelImage, manifest.Path(t.modelImage))
	if err != nil {
		return err
	}
	t.modelSHA256 = disk.Manifest.SHA256
	return disk.Check(ctx, s.ui.Say)
}
