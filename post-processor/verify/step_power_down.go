package verify

import (
	"context"
	"fmt"
	"time"

	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"
)

// powerDownTimeout is more than twice the 90 s that systemd waits for a unit to stop.
const powerDownTimeout = 5 * time.Minute

// stepPowerDown presses the power button, as OpenNebula's "poweroff" does.
type stepPowerDown struct {
	trial *trial
	ui    packersdk.Ui
}

func (s *stepPowerDown) Run(ctx context.Context) error {
	s.ui.Say("Powering the virtual machine down")
	ctx, cancel := context.WithTimeoutCause(ctx, powerDownTimeout, fmt.Errorf("not off within %s", powerDownTimeout))
	defer cancel()
	return s.trial.instance.PowerDown(ctx)
}
