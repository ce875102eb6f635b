package verify

import (
	"context"

	"github.com/hashicorp/packer-plugin-sdk/multistep"
)

// stepConclude makes sure that what was proven is the image itself.
type stepConclude struct {
	trial *trial
}

func (s *stepConclude) Run(_ context.Context, state multistep.StateBag) multistep.StepAction {
	if err := s.trial.checkUntouched(); err != nil {
		return halt(state, err)
	}
	s.trial.passed = true
	return multistep.ActionContinue
}

func (s *stepConclude) Cleanup(multistep.StateBag) {}
