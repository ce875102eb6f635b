package verify

import (
	"context"
	"fmt"

	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/probe/acceptance"
)

// stepBoot powers the instance on and waits until its model answers.
type stepBoot struct {
	name  string
	uefi  bool
	trial *trial
	ui    packersdk.Ui
}

func (s *stepBoot) Run(ctx context.Context) error {
	s.ui.Say(fmt.Sprintf("Booting %s as OpenNebula would (%s, %s)", s.trial.image, s.title(), s.trial.report.Accelerator))
	if err := s.boot(ctx); err != nil {
		return fmt.Errorf("%s: %w", s.title(), err)
	}
	return nil
}

// title is the name of this boot in the report.
func (s *stepBoot) title() string {
	if s.uefi {
		return s.name + ", UEFI"
	}
	return s.name
}

func (s *stepBoot) boot(ctx context.Context) error {
	power := s.trial.instance.Boot
	if s.uefi {
		power = s.trial.instance.BootUEFI
	}
	if err := power(ctx); err != nil {
		return err
	}
	ready, err := s.trial.instance.WaitReady(ctx, s.ui.Say)
	if err != nil {
		return err
	}
	boot := acceptance.Boot{Name: s.title(), Ready: acceptance.Duration(ready)}
	s.trial.report.Boots = append(s.trial.report.Boots, boot)
	s.ui.Say(fmt.Sprintf("The model answers, %s after power-on", boot.Ready))
	return nil
}
