package cloud

import (
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/manifest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/app"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/opennebula"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/transfer"
)

// Appliance is what is published.
type Appliance struct {
	App app.App
	// Disks are the system, and the disk of the model if the weights are not on the first;
	// each is proven against its manifest.
	Disks []manifest.Disk
}

// Target says where an appliance is published, and as what.
type Target struct {
	// Marketplace, Datastore and Group are names or numbers. The datastore holds the image
	// while the marketplace copies it. An empty Group is the user's own.
	Marketplace, Datastore, Group string
	Permissions                   opennebula.Permissions
	// VMTemplate makes a VM template in the cloud itself, and keeps the image it uses.
	VMTemplate bool
	// VMTemplateApp publishes the VM template as an app of its own. An appliance of two
	// disks always has one. ServiceTemplateApp publishes a service of one role besides.
	VMTemplateApp, ServiceTemplateApp bool
	// KeepVersions is how many versions stay, the new one among them; 0 keeps all.
	KeepVersions int
	// ForceReplace replaces another build of the same version.
	ForceReplace bool
	// Timeout is for each copy that the front-end makes.
	Timeout time.Duration
}

func (a Appliance) system() manifest.Disk { return a.Disks[0] }

func (a Appliance) arch() string { return a.system().Manifest.OSArch }

func (a Appliance) title() string { return a.App.Title(a.arch()) }

func (a Appliance) family() string { return a.App.Name + " " + a.arch() }

// split tells whether the weights are on a disk of their own.
func (a Appliance) split() bool { return len(a.Disks) > 1 }

// part names a disk.
func (a Appliance) part(i int) string {
	if i == 0 {
		return partSystem
	}
	return partModel
}

// imageName is that of the image in the datastore. It holds a part of the digest: two
// builds of one version can be there at the same time.
func (a Appliance) imageName(i int) string {
	name := a.title()
	if a.part(i) == partModel {
		name += " " + partModel
	}
	return name + " " + a.Disks[i].Manifest.SHA256[:8]
}

// leaseName is that of the VM template that is the lease of a version.
func (a Appliance) leaseName() string { return a.title() + " (publishing)" }

// fileOf is what is transferred of a disk. The name at the destination holds a part of the
// digest, so that what is there under it is this very file, or a piece of it.
func fileOf(d manifest.Disk) transfer.File {
	return transfer.File{
		Path:   d.Path,
		Name:   d.Manifest.Name + "-" + d.Manifest.Version + "-" + d.Manifest.SHA256[:12] + "." + d.Manifest.Format,
		Size:   d.Manifest.FileSize,
		SHA256: d.Manifest.SHA256,
	}
}

// sizeMB is what OpenNebula makes of the size of a disk.
func sizeMB(d manifest.Disk) int64 {
	const mb = 1 << 20
	return (d.Manifest.Size + mb - 1) / mb
}
