package marketplace

import (
	"context"

	"github.com/hashicorp/packer-plugin-sdk/multistep"
	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"
)

// stepForecast says what a run without dry_run would put into the catalog.
type stepForecast struct {
	directory string
	pub       *publication
	ui        packersdk.Ui
}

func (s *stepForecast) Run(context.Context, multistep.StateBag) multistep.StepAction {
	for _, entry := range s.pub.entries {
		s.ui.Say("A run would publish " + entry.Name + " (" + entry.Type + ") as " + entry.ID.OID + " in the catalog " + s.directory)
	}
	return multistep.ActionContinue
}

func (s *stepForecast) Cleanup(multistep.StateBag) {}
