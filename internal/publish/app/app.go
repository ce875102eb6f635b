// Package app describes the appliance as a marketplace sees it: the app with its texts, and
// its VM template. Everything published about the appliance, in a marketplace, an
// OpenNebula or a pull request, is derived from here, whatever its format.
package app

import (
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/manifest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/model/catalogue"
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
	// Logo is the base name of a PNG file that Sunstone, the web interface of the cloud,
	// already has.
	Logo string
	// OpenNebulaVersions are the OpenNebula releases the app is offered to: "7.0".
	OpenNebulaVersions []string
	// CPU is the number of host CPUs that are reserved, VCPU the number the guest sees.
	CPU       int
	VCPU      int
	MemoryMiB int
	// Models are the ids of the models in the image, the one that is served by default first. Users are
	// asked which one to serve if there are several.
	Models []string
}

// Default returns the appliance with the default model and every text except the version.
func Default() App {
	model, _ := catalogue.ByID(appliance.ModelID)
	app := App{
		Name:               appliance.Title,
		Publisher:          appliance.Title,
		ShortDescription:   "Private AI coding copilot that runs on CPU alone",
		Description:        describe([]modelText{listed(model)}),
		Tags:               []string{"ai", "llm", "copilot", "cpu"},
		OpenNebulaVersions: []string{"6.10", "7.0", "7.2", "7.4"},
		Models:             []string{model.ID},
	}
	return app.sized(appliance.MemoryMiB)
}

// DefaultFor returns the appliance with the system image of m: its version, its models and
// the capacity that the default model needs. If the manifest does not name a model, the capacity is
// that of Default and the texts claim nothing about the model.
func DefaultFor(m manifest.Manifest) App {
	app := Default()
	app.Version = m.Version
	app.Description = describe(modelsOf(m))
	app.Models = m.ModelIDs()
	if m.MemoryMiB > 0 {
		app = app.sized(m.MemoryMiB)
	}
	return app
}

// commonArch is the architecture that titles leave out.
const commonArch = "x86_64"

// Title is the name of the app in a cloud, for a guest of architecture arch ("x86_64"). It
// contains the version, because OpenNebula identifies an app by its name alone: two
// versions under one name would overwrite each other at every refresh, and so would a
// private app with the same name. For the same reason the title differs between
// architectures.
func (a App) Title(arch string) string {
	title := a.Name + " " + a.Version
	if arch != commonArch {
		title += " " + arch
	}
	return title
}
