// Package marketapp describes the appliance as a marketplace sees it: the app with its
// texts, and the VM template that comes with it. Everything a marketplace, an OpenNebula
// or a pull request says about the appliance is derived from here, whatever its format.
package marketapp

import (
	"strings"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
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

// Default is the appliance with every text filled in but the version.
func Default() App {
	return App{
		Name:             appliance.Title,
		Publisher:        appliance.Title,
		ShortDescription: "Private AI coding copilot that runs on CPU alone",
		Description: strings.Join([]string{
			"A private AI coding copilot with an OpenAI-compatible API, on CPU alone: no GPU, and no",
			"code leaves the virtual machine.",
			"",
			"Point Cline, Continue, aider, OpenCode, a JetBrains IDE or an OpenAI SDK at",
			"`https://<address of the VM>/v1`. The user name is `" + appliance.APIUser + "`; the password, and how to",
			"trust the certificate, are in `" + appliance.ReportFile + "` inside the VM.",
		}, "\n"),
		Tags:               []string{"ai", "llm", "copilot", "cpu"},
		OpenNebulaVersions: []string{"6.10", "7.0", "7.2", "7.4"},
		// What a model of 24 billion parameters in four bits wants.
		CPU:       16,
		VCPU:      16,
		MemoryMiB: 32768,
	}
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
