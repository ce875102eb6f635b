package builder

import (
	"context"
	"errors"
	"fmt"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/hostprogram"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/inspect"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/modeldisk"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/qemuimg"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/vm/contextiso"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/vm/firmware"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/vm/qemuvm"
)

// stepCheckHost finds out, before anything starts, which programs are missing on this host
// or do not work, including those of the verify post-processor.
type stepCheckHost struct{ *build }

func (s *stepCheckHost) Run(ctx context.Context) error {
	if err := s.check(ctx); err != nil {
		return err
	}
	if s.warning != "" {
		s.ui.Say("Warning: " + s.warning)
	}
	return nil
}

func (s *stepCheckHost) check(ctx context.Context) error {
	errs := []error{hostprogram.TryOut(ctx, s.tries()...), s.checkMemory()}
	if s.config.Firmware == firmware.UEFI {
		_, err := firmware.Find(s.config.goArch())
		errs = append(errs, err)
	}
	// Better to fail now than after a download of many gigabytes.
	if err := s.config.outputFree(); err != nil {
		errs = append(errs, fmt.Errorf("output_directory: %w", err))
	}
	return errors.Join(errs...)
}

// tries covers every program that the build runs. xorriso is one of them: it writes the
// NoCloud CD.
func (s *stepCheckHost) tries() []hostprogram.Try {
	tries := []hostprogram.Try{
		qemuvm.TryOut(s.config.goArch(), s.config.machineOption(), s.accelerator),
		qemuimg.TryOut, inspect.TryOut, contextiso.TryOut,
	}
	if s.config.ModelDisk {
		tries = append(tries, modeldisk.TryOut)
	}
	return tries
}
