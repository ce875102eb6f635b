package cloud

import (
	"fmt"
	"strings"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/progress"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/opennebula"
)

// tasks describes what there is to do; none if everything is as it should be.
func (p *Publisher) tasks() []string {
	var tasks []string
	if lease := p.plan.lease; lease != nil {
		tasks = append(tasks, "wait until another run ends, or take over from it if it is dead: "+lease.Template.Get(labelRun))
	}
	for i, image := range p.plan.images {
		tasks = append(tasks, p.imageTasks(i, image)...)
	}
	for _, app := range p.plan.apps {
		tasks = append(tasks, p.appTasks(app)...)
	}
	tasks = append(tasks, p.templateTasks()...)
	for _, app := range p.plan.apps {
		tasks = append(tasks, app.lastTasks()...)
	}
	tasks = append(tasks, p.plan.prune.tasks()...)
	for i, image := range p.plan.images {
		if !image.keep && (image.found != nil || image.isMissing()) {
			tasks = append(tasks, fmt.Sprintf("delete the image %q and the file it was made of", p.Appliance.imageName(i)))
		}
	}
	return tasks
}

func (p *Publisher) imageTasks(i int, image imagePlan) []string {
	var tasks []string
	for _, broken := range image.broken {
		tasks = append(tasks, fmt.Sprintf("delete image %d, which is in ERROR", broken.ID))
	}
	if image.isMissing() {
		disk := p.Appliance.Disks[i]
		tasks = append(tasks,
			fmt.Sprintf("bring %s (%s) to the front-end", disk.Path, progress.Bytes(disk.Manifest.FileSize)),
			fmt.Sprintf("register it in the datastore %q as image %q", p.datastore.Name, p.Appliance.imageName(i)))
	} else if image.needed && image.found.State == opennebula.ImageLocked {
		tasks = append(tasks, fmt.Sprintf("wait for image %d, which an earlier run has begun", image.found.ID))
	}
	return tasks
}

func (p *Publisher) appTasks(app appPlan) []string {
	var tasks []string
	for _, broken := range app.broken {
		tasks = append(tasks, fmt.Sprintf("delete app %d, which is in ERROR", broken.ID))
	}
	if app.isMissing() {
		return append(tasks, fmt.Sprintf("publish the app %q (%s) in the marketplace %q", app.made(), app.kind, p.marketplace.Name))
	}
	seen := *app.found
	switch seen.State {
	case opennebula.AppLocked:
		return append(tasks, fmt.Sprintf("wait for app %d, which an earlier run has begun", seen.ID))
	case opennebula.AppDisabled:
		tasks = append(tasks, fmt.Sprintf("enable app %d", seen.ID))
	}
	if differ := differing(app.contentFor(seen), seen.Template); len(differ) > 0 {
		tasks = append(tasks, fmt.Sprintf("update %s of app %d", strings.Join(names(differ), ", "), seen.ID))
	}
	if !p.isOffered(seen.Permissions, seen.GroupID) {
		tasks = append(tasks, fmt.Sprintf("set the permissions of app %d to %s", seen.ID, p.Target.Permissions))
	}
	return tasks
}

// isOffered reports whether an object has the target's group and permissions.
func (p *Publisher) isOffered(permissions opennebula.Permissions, group int) bool {
	return permissions == p.Target.Permissions && (p.group < 0 || group == p.group)
}

func (p *Publisher) templateTasks() []string {
	if p.plan.template == nil {
		return nil
	}
	found := p.plan.template.found
	if found == nil {
		return []string{fmt.Sprintf("make the VM template %q", p.Appliance.title())}
	}
	ready := p.images[0] >= 0
	if ready && len(differing(p.Appliance.vmTemplate(p.images), found.Template)) == 0 && p.isOffered(found.Permissions, found.GroupID) {
		return nil
	}
	return []string{fmt.Sprintf("update VM template %d", found.ID)}
}

// lastTasks are the tasks of stepCommit.
func (p appPlan) lastTasks() []string {
	var tasks []string
	if p.replaced != nil {
		tasks = append(tasks, fmt.Sprintf("delete app %d, which the new one replaces", p.replaced.ID))
	}
	if p.made() != p.name || p.found != nil && p.found.Name != p.name {
		tasks = append(tasks, fmt.Sprintf("rename the new app to %q", p.name))
	}
	return tasks
}

func (p pruning) tasks() []string {
	var tasks []string
	for _, app := range p.apps {
		tasks = append(tasks, fmt.Sprintf("delete app %d (%s)", app.ID, app.Name))
	}
	for _, template := range p.templates {
		tasks = append(tasks, fmt.Sprintf("delete VM template %d (%s)", template.ID, template.Name))
	}
	for _, image := range p.images {
		tasks = append(tasks, fmt.Sprintf("delete image %d (%s)", image.ID, image.Name))
	}
	return tasks
}
