// Package app describes the appliance as a marketplace sees it: the app with its
// texts, and the VM template that comes with it. Everything a marketplace, an OpenNebula
// or a pull request says about the appliance is derived from here, whatever its format.
package app

import (
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/manifest"
)

// App is one version of the appliance, without its image.
type App struct {
	Name             string
	Version          string
	Publisher        string
	PublisherEmail   string
	Description      string
	ShortDescription string
	Tags             []string
	// Logo is the base name of a PNG file that the cloud's web interface has.
	Logo string
	// OpenNebulaVersions are the releases the app is offered to: "7.0".
	OpenNebulaVersions []string
	// CPU is the share of the host's CPUs that is reserved, VCPU what the guest sees.
	CPU       int
	VCPU      int
	MemoryMiB int
}

// Default is the appliance with the model that is baked in unless another is named, every
// text filled in but the version.
func Default() App {
	app := App{
		Name:               appliance.Title,
		Publisher:          appliance.Title,
		ShortDescription:   "Private AI coding copilot that runs on CPU alone",
		Description:        describe(devstral),
		Tags:               []string{"ai", "llm", "copilot", "cpu"},
		OpenNebulaVersions: []string{"6.10", "7.0", "7.2", "7.4"},
	}
	return app.sized(devstralMemory)
}

// DefaultFor is the appliance with the system image of m: its version, its model and the
// size that this model wants. Of a manifest that says nothing of its model the size is that
// of Default, and no claim about the model is made.
func DefaultFor(m manifest.Manifest) App {
	app := Default()
	app.Version = m.Version
	app.Description = describe(modelOf(m))
	if m.MemoryMiB > 0 {
		app = app.sized(m.MemoryMiB)
	}
	return app
}

// commonArch is the architecture that goes without saying.
const commonArch = "x86_64"

// Title is the name the app has in a cloud, for a guest of architecture arch ("x86_64").
// It holds the version, because OpenNebula knows an app by its name alone: two versions
// under one name would overwrite each other at every refresh, and so would a private app
// of the same name. For the same reason it tells architectures apart.
func (a App) Title(arch string) string {
	title := a.Name + " " + a.Version
	if arch != commonArch {
		title += " " + arch
	}
	return title
}
