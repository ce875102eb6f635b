package marketplace

import (
	"fmt"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/app"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/storedtext"
)

// App is the block "app": what people see of the appliance in a marketplace, and the size
// of the virtual machines that are made from it.
type App struct {
	// Name is followed by the version: "SLM-Copilot" becomes "SLM-Copilot 1.0.0".
	Name string `mapstructure:"name"`
	// Version is that of the image's manifest unless given.
	Version          string   `mapstructure:"version"`
	Publisher        string   `mapstructure:"publisher"`
	PublisherEmail   string   `mapstructure:"publisher_email"`
	Description      string   `mapstructure:"description"`
	ShortDescription string   `mapstructure:"short_description"`
	Tags             []string `mapstructure:"tags"`
	// Logo is the base name of a PNG that the cloud's web interface has.
	Logo string `mapstructure:"logo"`
	CPU  int    `mapstructure:"cpu"`
	VCPU int    `mapstructure:"vcpu"`
	// Memory is in MiB.
	Memory int `mapstructure:"memory"`
	// OpenNebulaVersions are the releases the app is offered to.
	OpenNebulaVersions []string `mapstructure:"opennebula_versions"`
}

// rules are for the fields with their defaults in place.
func (a *App) rules() []rule {
	filled := a.withDefaults()
	return []rule{
		{"app.name", []string{filled.Name}, appliance.CheckObjectName},
		{"app.version", given(filled.Version), app.CheckVersion},
		{"app.publisher", []string{filled.Publisher}, app.CheckLine},
		{"app.publisher_email", given(filled.PublisherEmail), app.CheckLine},
		{"app.description", []string{filled.Description}, storedtext.CheckQuoted},
		{"app.short_description", []string{filled.ShortDescription}, app.CheckLine},
		{"app.tags", filled.Tags, app.CheckTag},
		{"app.logo", given(filled.Logo), app.CheckLogo},
		{"app.opennebula_versions", filled.OpenNebulaVersions, app.CheckOpenNebulaVersion},
	}
}

func (a *App) checkNumbers() []error {
	app := a.withDefaults()
	var mistakes []error
	for _, field := range []struct {
		name  string
		value int
	}{{"app.cpu", app.CPU}, {"app.vcpu", app.VCPU}, {"app.memory", app.MemoryMiB}} {
		if field.value < 1 {
			mistakes = append(mistakes, fmt.Errorf("%s: must be 1 or more, got %d", field.name, field.value))
		}
	}
	return mistakes
}

// withDefaults is the app with a default for every field that is not given; one for any
// image, until it is known which.
func (a *App) withDefaults() app.App { return a.over(app.Default()) }

// over is d with the fields that are given.
func (a *App) over(d app.App) app.App {
	return app.App{
		Name:               orDefault(a.Name, d.Name),
		Version:            orDefault(a.Version, d.Version),
		Publisher:          orDefault(a.Publisher, d.Publisher),
		PublisherEmail:     a.PublisherEmail,
		Description:        orDefault(a.Description, d.Description),
		ShortDescription:   orDefault(a.ShortDescription, d.ShortDescription),
		Tags:               listOrDefault(a.Tags, d.Tags),
		Logo:               a.Logo,
		OpenNebulaVersions: listOrDefault(a.OpenNebulaVersions, d.OpenNebulaVersions),
		CPU:                orDefault(a.CPU, d.CPU),
		VCPU:               orDefault(a.VCPU, d.VCPU),
		MemoryMiB:          orDefault(a.Memory, d.MemoryMiB),
	}
}
