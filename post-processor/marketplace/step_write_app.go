package marketplace

import (
	"context"

	"github.com/hashicorp/packer-plugin-sdk/multistep"
)

// stepWriteApp writes the files of the app and the nginx site. Nothing lists the app yet.
type stepWriteApp struct {
	pub *publication
}

func (s *stepWriteApp) Run(_ context.Context, state multistep.StateBag) multistep.StepAction {
	if err := s.pub.catalog.WriteApp(s.pub.entry); err != nil {
		return halt(state, err)
	}
	return multistep.ActionContinue
}

// Cleanup is the catalog's: closing it removes what is not listed.
func (s *stepWriteApp) Cleanup(multistep.StateBag) {}
