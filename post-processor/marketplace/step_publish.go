package marketplace

import (
	"context"

	"github.com/hashicorp/packer-plugin-sdk/multistep"
	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"
)

// stepPublish replaces the list. It is the moment at which clouds see the app.
type stepPublish struct {
	pub *publication
	ui  packersdk.Ui
}

func (s *stepPublish) Run(_ context.Context, state multistep.StateBag) multistep.StepAction {
	if err := s.pub.catalog.Publish(s.pub.entry); err != nil {
		return halt(state, err)
	}
	s.pub.listed = true
	if s.pub.catalog.Changed() {
		s.ui.Say("Published as " + s.pub.entry.ID.OID + "; " + s.pub.catalog.SitePath() + " says how to serve it")
	} else {
		s.ui.Say("It is published already as " + s.pub.entry.ID.OID + "; nothing was changed")
	}
	return multistep.ActionContinue
}

func (s *stepPublish) Cleanup(multistep.StateBag) {}
