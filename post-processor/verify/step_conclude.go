package verify

import (
	"context"
)

// stepConclude makes sure that what was proven is the image itself.
type stepConclude struct {
	trial *trial
}

func (s *stepConclude) Run(context.Context) error {
	return s.trial.checkUntouched()
}
