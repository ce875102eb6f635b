package cloud

import (
	"errors"
	"fmt"
	"slices"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/opennebula"
)

// plan lists what one run has to do. It depends only on the appliance, the target and the
// state of the cloud.
type plan struct {
	apps   []appPlan
	images []imagePlan
	// template is nil if no VM template is created in the cloud.
	template *templatePlan
	prune    pruning
	// stale describes what nothing keeps up to date any more.
	stale []string
	// lease is the lease of another run, which may be alive or killed.
	lease *opennebula.VMTemplate
}

// appPlan describes how one app gets published.
type appPlan struct {
	wantedApp
	// found already has the right image. It is kept, waited for and updated.
	found *opennebula.App
	// broken are apps without contents; they are deleted before one is created.
	broken []opennebula.App
	// replaced is another build of the version, to be deleted when the new one is verified.
	replaced *opennebula.App
}

// imagePlan describes how the image of one disk gets into the datastore.
type imagePlan struct {
	disk int
	// needed is set if an app is to be copied from the image, or a VM template uses it.
	needed bool
	// found is an image with the same contents.
	found *opennebula.Image
	// broken are images without contents; they are deleted before one is created.
	broken []opennebula.Image
	// keep is set if the image stays after publishing.
	keep bool
}

// templatePlan describes how the VM template in the cloud is created.
type templatePlan struct{ found *opennebula.VMTemplate }

// plan compares the inventory with the target. The error lists every obstacle.
func (a Appliance) plan(t Target, marketplace, datastore int, w inventory) (*plan, error) {
	apps, err := a.apps(t)
	if err != nil {
		return nil, err
	}
	p := &plan{}
	obstacles := a.checkNames(apps)
	for _, wanted := range apps {
		found, err := a.planApp(wanted, t, marketplace, w)
		if err != nil {
			obstacles = append(obstacles, err)
		}
		p.apps = append(p.apps, found)
	}
	for i := range a.Disks {
		image, err := a.planImage(i, t, datastore, p.apps, w)
		if err != nil {
			obstacles = append(obstacles, err)
		}
		p.images = append(p.images, image)
	}
	if t.VMTemplate {
		if p.template, err = a.planTemplate(w); err != nil {
			obstacles = append(obstacles, err)
		}
	}
	p.prune = a.planPruning(t, marketplace, w)
	p.stale = a.stale(t, marketplace, w)
	return p, errors.Join(obstacles...)
}

// checkNames reports those names, of all that publishing may use, that oned would reject.
func (a Appliance) checkNames(apps []wantedApp) []error {
	names := []string{a.leaseName()}
	for i := range a.Disks {
		names = append(names, a.imageName(i))
	}
	for _, app := range apps {
		names = append(names, appPlan{wantedApp: app, replaced: new(opennebula.App)}.made())
	}
	var mistakes []error
	for _, name := range names {
		if err := appliance.CheckObjectName(name); err != nil {
			mistakes = append(mistakes, fmt.Errorf("app.name and app.version: the name %q made of them %w", name, err))
		}
	}
	return mistakes
}

func (a Appliance) planApp(wanted wantedApp, t Target, marketplace int, w inventory) (appPlan, error) {
	p := appPlan{wantedApp: wanted}
	for _, seen := range w.apps {
		ours := seen.MarketplaceID == marketplace && a.isPart(seen.Template, wanted.part) && a.isThisVersion(seen.Template)
		switch {
		case !ours && seen.Name == wanted.name:
			if leftover(seen) {
				p.broken = append(p.broken, seen)
				continue
			}
			return p, fmt.Errorf("app %d of marketplace %d is called %q and was not published as this appliance: "+
				"rename it, or set app.name to another name", seen.ID, seen.MarketplaceID, seen.Name)
		case !ours:
			continue
		case seen.State == opennebula.AppError:
			p.broken = append(p.broken, seen)
		case seen.Template.Get(labelSHA256) == wanted.content.Get(labelSHA256):
			p.found = &seen
		case !t.ForceReplace:
			return p, fmt.Errorf("%q is published already as app %d, with another image (build %s, sha256 %s): "+
				"raise the version, or set force_replace", seen.Name, seen.ID, orUnknown(seen.Template.Get(labelBuild)), seen.Template.Get(labelSHA256))
		default:
			p.replaced = &seen
		}
	}
	return p, nil
}

// leftover reports whether an app is what a rejected allocation leaves behind: in ERROR,
// and without an image.
func leftover(seen opennebula.App) bool {
	return seen.State == opennebula.AppError && seen.Source == ""
}

func orUnknown(build string) string {
	if build == "" {
		return "unknown"
	}
	return build
}

// made returns the name under which a new app is created. If it replaces another app, it
// gets its final name only after that one is deleted.
func (p appPlan) made() string {
	if p.replaced != nil {
		return p.name + " (new)"
	}
	return p.name
}

// isMissing reports whether the app must be created.
func (p appPlan) isMissing() bool { return p.found == nil }

func (a Appliance) planImage(i int, t Target, datastore int, apps []appPlan, w inventory) (imagePlan, error) {
	copied := slices.ContainsFunc(apps, func(p appPlan) bool {
		return p.kind == opennebula.AppImage && p.disk == i && p.isMissing()
	})
	// An image that an earlier run kept for its VM template must stay.
	used := slices.ContainsFunc(w.templates, func(seen opennebula.VMTemplate) bool {
		return a.isPart(seen.Template, partVM) && a.isThisVersion(seen.Template) && !a.isReplaced(seen.Template)
	})
	p := imagePlan{disk: i, needed: copied || t.VMTemplate, keep: t.VMTemplate || used}
	for _, seen := range w.images {
		ours := a.isPart(seen.Template, a.part(i)) && a.isThisVersion(seen.Template)
		same := ours && seen.DatastoreID == datastore && seen.Template.Get(labelSHA256) == a.Disks[i].Manifest.SHA256
		switch {
		case same && seen.State == opennebula.ImageError:
			p.broken = append(p.broken, seen)
		case same:
			p.found = &seen
		case seen.Name == a.imageName(i):
			return p, fmt.Errorf("image %d of datastore %d is called %q and is not the one to be published: delete or rename it", seen.ID, seen.DatastoreID, seen.Name)
		}
	}
	return p, nil
}

// isMissing reports whether the image must be created.
func (p imagePlan) isMissing() bool { return p.needed && p.found == nil }

func (a Appliance) planTemplate(w inventory) (*templatePlan, error) {
	p := &templatePlan{}
	for _, seen := range w.templates {
		switch {
		case a.isPart(seen.Template, partVM) && a.isThisVersion(seen.Template):
			p.found = &seen
		case seen.Name == a.title():
			return p, fmt.Errorf("VM template %d is called %q and was not made for this appliance: rename it, or set app.name to another name", seen.ID, seen.Name)
		}
	}
	return p, nil
}
