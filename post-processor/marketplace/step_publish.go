package marketplace

import (
	"context"

	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/catalog"
)

// stepPublish replaces the list of the catalog, which makes the app visible to clouds.
type stepPublish struct {
	keepVersions int
	pub          *publication
	ui           packersdk.Ui
}

func (s *stepPublish) Run(context.Context) error {
	options := catalog.Options{KeepVersions: s.keepVersions, SigningKey: s.pub.signingKey}
	if err := s.pub.catalog.Publish(s.pub.entries, options); err != nil {
		return err
	}
	id := s.pub.entry().ID.OID
	if s.pub.catalog.Changed() {
		s.ui.Say("Published as " + id + "; " + s.pub.catalog.SitePath() + " says how to serve it")
	} else {
		s.ui.Say("It is published already as " + id + "; nothing was changed")
	}
	return nil
}

// entry returns the catalog entry that users import.
func (p *publication) entry() catalog.Entry { return p.entries[len(p.entries)-1] }
