package marketplace

import (
	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
)

// artifact is a published app. It holds no reference to the artifact it was made from,
// which is out of reach when the post-processor has returned.
type artifact struct {
	id    string
	name  string
	files []string
	state map[string]string
}

var _ packersdk.Artifact = (*artifact)(nil)

func newArtifact(pub *publication) *artifact {
	return &artifact{
		id:    pub.entry.ID.OID,
		name:  pub.entry.Name,
		files: []string{pub.catalog.ListPath(), pub.catalog.ImagePath(pub.entry), pub.catalog.SitePath()},
		state: map[string]string{
			appliance.StateCatalogDirectory: pub.catalog.Directory(),
			appliance.StateImagePath:        pub.image,
			appliance.StateManifestPath:     pub.manifestPath,
		},
	}
}

func (a *artifact) BuilderId() string { return appliance.MarketplaceBuilderID }

func (a *artifact) Files() []string { return a.files }

func (a *artifact) Id() string { return a.id }

func (a *artifact) String() string {
	return a.name + " (" + a.id + ") in the marketplace " + a.state[appliance.StateCatalogDirectory]
}

func (a *artifact) State(name string) any {
	if value, ok := a.state[name]; ok {
		return value
	}
	return nil
}

// Destroy does nothing: clouds may have seen the app, so it is not for a later step of a
// build to take it back.
func (a *artifact) Destroy() error { return nil }
