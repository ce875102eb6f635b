package marketplace

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/digest"
)

// publishedArtifact is a published app. It does not refer to the artifact it was made from,
// which Packer may destroy once the post-processor has returned.
type publishedArtifact struct {
	id     string
	title  string
	places []string
	files  []string
	state  map[string]string
}

var _ packersdk.Artifact = (*publishedArtifact)(nil)

func newArtifact(pub *publication) *publishedArtifact {
	system := pub.disks[0]
	a := &publishedArtifact{
		id:    digest.SHA256Prefix + system.Manifest.SHA256,
		title: pub.app.Title(system.Manifest.OSArch),
		state: map[string]string{
			appliance.StateImagePath:    system.Path,
			appliance.StateManifestPath: system.ManifestPath,
		},
	}
	if len(pub.disks) > 1 {
		a.state[appliance.StateModelImagePath] = pub.disks[1].Path
	}
	if pub.publisher != nil && pub.publisher.Done() {
		id := fmt.Sprint(pub.publisher.AppID())
		a.id = "opennebula:" + id
		a.state[appliance.StateOpenNebulaApp] = id
		a.places = append(a.places, "app "+id+" of the marketplace "+pub.publisher.Marketplace())
	}
	if pub.catalog != nil {
		a.addCatalog(pub)
	}
	if pub.communityDirectory != "" {
		a.addCommunity(pub)
	}
	return a
}

func (a *publishedArtifact) addCommunity(pub *publication) {
	a.places = append(a.places, "files of a pull request in "+pub.communityDirectory)
	for _, name := range slices.Sorted(maps.Keys(pub.communityFiles)) {
		a.files = append(a.files, filepath.Join(pub.communityDirectory, name))
	}
}

func (a *publishedArtifact) addCatalog(pub *publication) {
	a.id = pub.entry().ID.OID
	a.state[appliance.StateCatalogDirectory] = pub.catalog.Directory()
	a.places = append(a.places, a.id+" in the marketplace "+pub.catalog.Directory())
	a.files = []string{pub.catalog.ListPath(), pub.catalog.SitePath(), pub.catalog.SumsPath()}
	for i := range pub.disks {
		a.files = append(a.files, pub.catalog.ImagePath(pub.entries[i]))
	}
}

func (a *publishedArtifact) BuilderId() string { return appliance.MarketplaceBuilderID }

func (a *publishedArtifact) Files() []string { return a.files }

func (a *publishedArtifact) Id() string { return a.id }

func (a *publishedArtifact) String() string {
	if len(a.places) == 0 {
		return a.title + ", not published: this was a dry run"
	}
	return a.title + ": " + strings.Join(a.places, ", ")
}

func (a *publishedArtifact) State(name string) any {
	if value, ok := a.state[name]; ok {
		return value
	}
	return nil
}

// Destroy does nothing: clouds may have seen the app already, so a failure later in the
// build must not withdraw it.
func (a *publishedArtifact) Destroy() error { return nil }
