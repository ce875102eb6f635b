package marketplace

import (
	"context"
	"maps"
	"path/filepath"
	"slices"

	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"
)

// stepDryRun reports what a run without dry_run would write.
type stepDryRun struct {
	config *Config
	pub    *publication
	ui     packersdk.Ui
}

func (s *stepDryRun) Run(context.Context) error {
	for _, entry := range s.pub.entries {
		s.ui.Say("A run would publish " + entry.Name + " (" + entry.Type + ") as " + entry.ID.OID + " in the catalog " + s.config.Catalog.Directory)
	}
	for _, name := range slices.Sorted(maps.Keys(s.pub.communityFiles)) {
		s.ui.Say("A run would write " + filepath.Join(s.config.Community.Directory, name))
	}
	return nil
}
