package builder

import (
	"context"
	"errors"
	"fmt"
	"os/exec"

	"github.com/hashicorp/packer-plugin-sdk/multistep"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/firmware"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/modeldisk"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/qemuimg"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/qemuvm"
)

// stepCheckHost finds everything that is missing on this host before anything starts.
type stepCheckHost struct{ *build }

func (s *stepCheckHost) Run(_ context.Context, state multistep.StateBag) multistep.StepAction {
	if err := s.check(); err != nil {
		return fail(state, err)
	}
	if s.warning != "" {
		uiOf(state).Say("Warning: " + s.warning)
	}
	return multistep.ActionContinue
}

func (s *stepCheckHost) Cleanup(multistep.StateBag) {}

func (s *stepCheckHost) check() error {
	// The programs that make a model disk are also those that look into the finished image.
	missing := []error{qemuvm.Available(s.config.goArch()), qemuimg.Available(), modeldisk.Available()}
	if !canMakeISO() {
		missing = append(missing, errors.New("neither xorriso nor mkisofs is installed: install the package xorriso (Debian, Ubuntu)"))
	}
	if s.config.Firmware == firmware.UEFI {
		_, err := firmware.Find(s.config.goArch())
		missing = append(missing, err)
	}
	// Better now than after a download of many gigabytes.
	if err := s.config.outputFree(); err != nil {
		missing = append(missing, fmt.Errorf("output_directory: %w", err))
	}
	return errors.Join(missing...)
}

// canMakeISO looks for the programs the SDK's CD step knows on Linux.
func canMakeISO() bool {
	for _, program := range []string{"xorriso", "mkisofs"} {
		if _, err := exec.LookPath(program); err == nil {
			return true
		}
	}
	return false
}
