package verify

import (
	"context"
)

// stepConclude makes sure that the image did not change while it was verified.
type stepConclude struct {
	trial *trial
}

func (s *stepConclude) Run(context.Context) error {
	return s.trial.checkUntouched()
}
