package marketplace

import (
	"context"

	"github.com/hashicorp/packer-plugin-sdk/multistep"
)

// stepWriteApp writes the files of the apps and the nginx site. Nothing lists them yet.
type stepWriteApp struct {
	pub *publication
}

func (s *stepWriteApp) Run(_ context.Context, state multistep.StateBag) multistep.StepAction {
	for _, entry := range s.pub.entries {
		if err := s.pub.catalog.WriteApp(entry); err != nil {
			return halt(state, err)
		}
	}
	return multistep.ActionContinue
}

// Cleanup is the catalog's: closing it removes what is not listed.
func (s *stepWriteApp) Cleanup(multistep.StateBag) {}
