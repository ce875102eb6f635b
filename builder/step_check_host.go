package builder

import (
	"context"
	"errors"
	"fmt"
	"os/exec"

	"github.com/hashicorp/packer-plugin-sdk/multistep"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/progress"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/qemuimg"
)

// qemuBinary runs the machine.
const qemuBinary = "qemu-system-x86_64"

// stepCheckHost finds everything that is missing on this host before anything starts.
type stepCheckHost struct{ *build }

func (s *stepCheckHost) Run(ctx context.Context, state multistep.StateBag) multistep.StepAction {
	var missing []error
	if _, err := exec.LookPath(qemuBinary); err != nil {
		missing = append(missing, fmt.Errorf("%s is not installed: install the package qemu-system-x86 (Debian, Ubuntu)", qemuBinary))
	}
	imgMissing := qemuimg.Available()
	if imgMissing != nil {
		missing = append(missing, imgMissing)
	}
	if !canMakeISO() {
		missing = append(missing, errors.New("neither xorriso nor mkisofs is installed: install the package xorriso (Debian, Ubuntu)"))
	}
	if path, local := s.localBase(); local && imgMissing == nil {
		missing = append(missing, s.checkBase(ctx, path)...)
	}
	if len(missing) > 0 {
		return fail(state, errors.Join(missing...))
	}
	if s.warning != "" {
		uiOf(state).Say("Warning: " + s.warning)
	}
	return multistep.ActionContinue
}

func (s *stepCheckHost) Cleanup(multistep.StateBag) {}

// checkBase finds what makes a file unfit as a base image.
func (s *stepCheckHost) checkBase(ctx context.Context, path string) []error {
	info, err := qemuimg.Inspect(ctx, path)
	if err != nil {
		return []error{fmt.Errorf("base_image: %w", err)}
	}
	if info.Format != qemuimg.Format {
		return []error{fmt.Errorf("base_image: %s is not a QCOW2 image (its format is %s); \"qemu-img convert -O qcow2\" makes one", path, info.Format)}
	}
	var unfit []error
	if info.Backing != "" {
		unfit = append(unfit, fmt.Errorf("base_image: %s is only an overlay of %s; \"qemu-img convert -O qcow2\" makes it complete", path, info.Backing))
	}
	if size := s.config.diskBytes(); size < info.VirtualSize {
		unfit = append(unfit, fmt.Errorf("disk_size: %s is less than the disk of the base image (%s); disks only grow",
			s.config.DiskSize, progress.Bytes(info.VirtualSize)))
	}
	if err := qemuimg.Check(ctx, path); err != nil {
		unfit = append(unfit, fmt.Errorf("base_image: %w", err))
	}
	return unfit
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
