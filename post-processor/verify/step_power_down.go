package verify

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/packer-plugin-sdk/multistep"
	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"
)

// powerDownTimeout is more than systemd gives a unit that does not stop (90 s), twice.
const powerDownTimeout = 5 * time.Minute

// stepPowerDown presses the power button, as OpenNebula's "poweroff" does.
type stepPowerDown struct {
	trial *trial
	ui    packersdk.Ui
}

func (s *stepPowerDown) Run(ctx context.Context, state multistep.StateBag) multistep.StepAction {
	s.ui.Say("Powering the virtual machine down")
	ctx, cancel := context.WithTimeoutCause(ctx, powerDownTimeout, fmt.Errorf("not off within %s", powerDownTimeout))
	defer cancel()
	if err := s.trial.instance.PowerDown(ctx); err != nil {
		return halt(state, err)
	}
	return multistep.ActionContinue
}

func (s *stepPowerDown) Cleanup(multistep.StateBag) {}
