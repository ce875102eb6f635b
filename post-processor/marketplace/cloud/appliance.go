package cloud

import (
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/manifest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/app"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/opennebula"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/transfer"
)

// Appliance is the appliance to publish.
type Appliance struct {
	App app.App
	// Disks are the system disk and, if the weights are on a disk of their own, the model
	// disk. Each has been checked against its manifest.
	Disks []manifest.Disk
}

// Target configures where and how an appliance is published.
type Target struct {
	// Marketplace, Datastore and Group are names or ids. The datastore holds the image
	// while the marketplace copies it. An empty Group keeps the group of the user.
	Marketplace, Datastore, Group string
	Permissions                   opennebula.Permissions
	// VMTemplate creates a VM template in the cloud itself, and keeps the image that it
	// uses.
	VMTemplate bool
	// VMTemplateApp also publishes the VM template as an app; an appliance with two disks
	// always has one. ServiceTemplateApp also publishes a service template with one role.
	VMTemplateApp, ServiceTemplateApp bool
	// KeepVersions is how many of the newest versions to keep, by their numbers; 0 keeps all.
	// The one being published is kept in any case.
	KeepVersions int
	// ForceReplace allows replacing another build of the same version.
	ForceReplace bool
	// Timeout is the time limit for each copy that the front-end makes.
	Timeout time.Duration
}

func (a Appliance) system() manifest.Disk { return a.Disks[0] }

func (a Appliance) arch() string { return a.system().Manifest.OSArch }

func (a Appliance) title() string { return a.App.Title(a.arch()) }

func (a Appliance) family() string { return a.App.Name + " " + a.arch() }

// split reports whether the weights are on a disk of their own.
func (a Appliance) split() bool { return len(a.Disks) > 1 }

// part returns the label of disk i.
func (a Appliance) part(i int) string {
	if i == 0 {
		return partSystem
	}
	return partModel
}

// imageName returns the name of the image in the datastore. It contains a part of the
// digest, so that two builds of one version can exist at the same time.
func (a Appliance) imageName(i int) string {
	name := a.title()
	if a.part(i) == partModel {
		name += " " + partModel
	}
	return name + " " + a.Disks[i].Manifest.SHA256[:8]
}

// leaseName returns the name of the VM template that serves as the lease of a version.
func (a Appliance) leaseName() string { return a.title() + " (publishing)" }

// fileOf describes the file to transfer for a disk. The name at the destination contains a
// part of the digest, so a file of that name is the same file, or the beginning of it.
func fileOf(d manifest.Disk) transfer.File {
	return transfer.File{
		Path:   d.Path,
		Name:   d.Manifest.Name + "-" + d.Manifest.Version + "-" + d.Manifest.SHA256[:12] + "." + d.Manifest.Format,
		Size:   d.Manifest.FileSize,
		SHA256: d.Manifest.SHA256,
	}
}

// sizeMB returns the disk size as OpenNebula computes it: in MiB, rounded up.
func sizeMB(d manifest.Disk) int64 {
	const mb = 1 << 20
	return (d.Manifest.Size + mb - 1) / mb
}
