package probe

import (
	"context"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
)

// Load is what the gateway has to do at one moment, in requests.
type Load struct{ Waiting, Running int }

// LoadOf asks the gateway that listens on a socket, which root and nginx may.
func LoadOf(ctx context.Context, socket string) (Load, error) {
	numbers, err := NumbersOf(ctx, socket)
	if err != nil {
		return Load{}, err
	}
	return Load{Waiting: int(numbers.Sum(appliance.MetricWaiting)), Running: int(numbers.Sum(appliance.MetricRunning))}, nil
}
