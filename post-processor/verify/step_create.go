package verify

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/atomicfile"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/probe/acceptance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/vm/accelerator"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/vm/instance"
)

// stepCreate creates an instance of the image: a disk overlay and a context CD-ROM.
type stepCreate struct {
	config *Config
	trial  *trial
	ui     packersdk.Ui
}

func (s *stepCreate) Run(ctx context.Context) error {
	// QEMU appends to the console log, and a killed run may have left one.
	if err := atomicfile.RemoveIfThere(serialLog(s.trial.image)); err != nil {
		return err
	}
	settled, _ := accelerator.Settle(s.config.Accelerator, s.trial.arch())
	created, err := instance.Create(ctx, instance.Config{
		Image:       s.trial.image,
		Arch:        s.trial.arch(),
		ModelImage:  s.trial.modelImage,
		Context:     s.config.Context,
		Model:       s.trial.model,
		MemoryMiB:   s.trial.memoryMiB,
		CPUs:        s.config.CPUs,
		Accelerator: settled,
		SerialLog:   serialLog(s.trial.image),
		BootTimeout: s.config.bootTimeout(),
	})
	if err != nil {
		return err
	}
	// Packer's log filter must know password and keys before anything can print them.
	packersdk.LogSecretFilter.Set(append(s.config.keys(), created.Target().Password)...)
	s.trial.instance = created
	s.trial.report = acceptance.Report{
		Image:       filepath.Base(s.trial.image),
		Model:       s.trial.model,
		Accelerator: settled,
		Started:     time.Now(),
	}
	return nil
}

func (s *stepCreate) Cleanup() {
	if s.trial.instance == nil {
		return
	}
	if err := s.trial.instance.Discard(); err != nil {
		s.ui.Error(fmt.Sprintf("Removing what the trial wrote: %v", err))
	}
}
