package cloud

import (
	"fmt"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/opennebula"
)

// leftOut returns the option without which the target leaves out an app of this version that
// an earlier run has published; empty if the target has the app.
func (a Appliance) leftOut(t Target, seen opennebula.Template) string {
	switch {
	case !a.isThisVersion(seen):
		return ""
	case a.isPart(seen, partService) && !t.ServiceTemplateApp:
		return "service_template_app"
	case a.isPart(seen, partVM) && !a.split() && !t.VMTemplateApp && !t.ServiceTemplateApp:
		return "vm_template_app"
	}
	return ""
}

// stale describes what an earlier run has published of this build and the target leaves out.
// Somebody may use it, so it is not deleted; nothing keeps it up to date either.
func (a Appliance) stale(t Target, marketplace int, w inventory) []string {
	const advice = "%s %d (%s) was made by an earlier run, and is not kept up to date any more: set %s again, or delete it: %s delete %d"
	var found []string
	for _, seen := range w.apps {
		option := a.leftOut(t, seen.Template)
		if option != "" && seen.MarketplaceID == marketplace && !a.isReplaced(seen.Template) {
			found = append(found, fmt.Sprintf(advice, "app", seen.ID, seen.Name, option, "onemarketapp", seen.ID))
		}
	}
	for _, seen := range w.templates {
		if !t.VMTemplate && a.isPart(seen.Template, partVM) && a.isThisVersion(seen.Template) && !a.isReplaced(seen.Template) {
			found = append(found, fmt.Sprintf(advice, "VM template", seen.ID, seen.Name, "vm_template", "onetemplate", seen.ID))
		}
	}
	return found
}
