package marketplace

import (
	"fmt"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/marketapp"
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
	app := a.withDefaults()
	return []rule{
		{"app.name", []string{app.Name}, appliance.CheckObjectName},
		{"app.version", given(app.Version), marketapp.CheckVersion},
		{"app.publisher", []string{app.Publisher}, marketapp.CheckLine},
		{"app.publisher_email", given(app.PublisherEmail), marketapp.CheckLine},
		{"app.description", []string{app.Description}, marketapp.CheckText},
		{"app.short_description", []string{app.ShortDescription}, marketapp.CheckLine},
		{"app.tags", app.Tags, marketapp.CheckTag},
		{"app.logo", given(app.Logo), marketapp.CheckLogo},
		{"app.opennebula_versions", app.OpenNebulaVersions, marketapp.CheckOpenNebulaVersion},
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
func (a *App) withDefaults() marketapp.App { return a.over(marketapp.Default()) }

// over is d with the fields that are given.
func (a *App) over(d marketapp.App) marketapp.App {
	return marketapp.App{
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
