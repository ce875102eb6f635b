package verify

import (
	"context"
	"fmt"
	"strings"

	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/probe/acceptance"
)

// stepCheck runs all acceptance checks against the running instance.
type stepCheck struct {
	trial *trial
	ui    packersdk.Ui
}

// Run adds the results to the report, whether the checks pass or fail.
func (s *stepCheck) Run(ctx context.Context) error {
	running, stop := s.trial.instance.WhileRunning(ctx)
	defer stop()
	results, err := acceptance.Run(running, s.trial.instance.Target(), acceptance.Checks(), func(result acceptance.Result) {
		s.ui.Say(result.String())
	})
	boots := s.trial.report.Boots
	boots[len(boots)-1].Results = results
	if err != nil {
		return fmt.Errorf("during the checks: %w", err)
	}
	if failures := s.trial.report.Failures(); len(failures) > 0 {
		return fmt.Errorf("%d of %d checks failed:\n%s", len(failures), len(results), strings.Join(failures, "\n"))
	}
	return nil
}
