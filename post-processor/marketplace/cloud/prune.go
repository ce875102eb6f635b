package cloud

import (
	"slices"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/app"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/opennebula"
)

// pruning lists what to delete after publishing: versions beyond those that are kept, and
// images and VM templates of replaced builds.
type pruning struct {
	versions  []string
	apps      []opennebula.App
	templates []opennebula.VMTemplate
	images    []opennebula.Image
}

func (a Appliance) planPruning(t Target, marketplace int, w inventory) pruning {
	old := a.oldVersions(t, marketplace, w)
	p := pruning{versions: old}
	isOld := func(content opennebula.Template) bool {
		return content.Get(labelFamily) == a.family() && slices.Contains(old, content.Get(labelVersion))
	}
	for _, seen := range w.apps {
		if seen.MarketplaceID == marketplace && isOld(seen.Template) {
			p.apps = append(p.apps, seen)
		}
	}
	// Templates before images: an image that only a template uses is free after that.
	for _, seen := range w.templates {
		if isOld(seen.Template) && seen.Template.Get(labelPart) == partVM {
			p.templates = append(p.templates, seen)
		}
	}
	for _, seen := range w.images {
		if isOld(seen.Template) || a.isReplaced(seen) {
			p.images = append(p.images, seen)
		}
	}
	return p
}

// isReplaced reports whether an image belongs to another build of this version.
func (a Appliance) isReplaced(seen opennebula.Image) bool {
	for i, d := range a.Disks {
		if a.isPart(seen.Template, a.part(i)) && a.isThisVersion(seen.Template) && seen.Template.Get(labelSHA256) != d.Manifest.SHA256 {
			return true
		}
	}
	return false
}

// oldVersions returns the versions of the appliance beyond KeepVersions.
func (a Appliance) oldVersions(t Target, marketplace int, w inventory) []string {
	var published []string
	for _, seen := range w.apps {
		if seen.MarketplaceID == marketplace && seen.Template.Get(labelFamily) == a.family() {
			published = append(published, seen.Template.Get(labelVersion))
		}
	}
	return app.VersionsBeyond(published, a.App.Version, t.KeepVersions)
}
