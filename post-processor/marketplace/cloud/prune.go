package cloud

import (
	"slices"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/app"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/opennebula"
)

// pruning lists what to delete after publishing: versions beyond those that are kept, and
// what the target leaves out of a build that is replaced.
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
		leftOut := a.leftOut(t, seen.Template) != "" && a.isReplaced(seen.Template)
		if seen.MarketplaceID == marketplace && (isOld(seen.Template) || leftOut) {
			p.apps = append(p.apps, seen)
		}
	}
	// Templates before images: an image that only a template uses is free after that.
	for _, seen := range w.templates {
		leftOut := !t.VMTemplate && a.isPart(seen.Template, partVM) && a.isReplaced(seen.Template)
		if isOld(seen.Template) && seen.Template.Get(labelPart) == partVM || leftOut {
			p.templates = append(p.templates, seen)
		}
	}
	for _, seen := range w.images {
		if isOld(seen.Template) || a.isReplaced(seen.Template) {
			p.images = append(p.images, seen)
		}
	}
	return p
}

// isReplaced reports whether an object belongs to another build of this version. A lease does
// not.
func (a Appliance) isReplaced(seen opennebula.Template) bool {
	content := a.system()
	if a.split() && seen.Get(labelPart) == partModel {
		content = a.Disks[1]
	}
	return seen.Get(labelFamily) == a.family() && a.isThisVersion(seen) && seen.Get(labelPart) != partLease &&
		seen.Get(labelSHA256) != content.Manifest.SHA256
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
