package marketplace

import (
	"cmp"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/fieldcheck"
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

// check judges the fields with their defaults in place.
func (a *App) check(fields *fieldcheck.Fields) {
	filled := a.withDefaults()
	fields.Check("app.name", filled.Name, appliance.CheckObjectName)
	fields.CheckOptional("app.version", filled.Version, app.CheckVersion)
	fields.Check("app.publisher", filled.Publisher, app.CheckLine)
	fields.CheckOptional("app.publisher_email", filled.PublisherEmail, app.CheckLine)
	fields.Check("app.description", filled.Description, storedtext.CheckQuoted)
	fields.Check("app.short_description", filled.ShortDescription, app.CheckLine)
	fields.CheckEach("app.tags", filled.Tags, app.CheckTag)
	fields.CheckOptional("app.logo", filled.Logo, app.CheckLogo)
	fields.CheckEach("app.opennebula_versions", filled.OpenNebulaVersions, app.CheckOpenNebulaVersion)
	fields.Minimum("app.cpu", filled.CPU, 1)
	fields.Minimum("app.vcpu", filled.VCPU, 1)
	fields.Minimum("app.memory", filled.MemoryMiB, 1)
}

// withDefaults is the app with a default for every field that is not given; one for any
// image, until it is known which.
func (a *App) withDefaults() app.App { return a.over(app.Default()) }

// over is d with the fields that are given.
func (a *App) over(d app.App) app.App {
	return app.App{
		Name:               cmp.Or(a.Name, d.Name),
		Version:            cmp.Or(a.Version, d.Version),
		Publisher:          cmp.Or(a.Publisher, d.Publisher),
		PublisherEmail:     a.PublisherEmail,
		Description:        cmp.Or(a.Description, d.Description),
		ShortDescription:   cmp.Or(a.ShortDescription, d.ShortDescription),
		Tags:               listOrDefault(a.Tags, d.Tags),
		Logo:               a.Logo,
		OpenNebulaVersions: listOrDefault(a.OpenNebulaVersions, d.OpenNebulaVersions),
		CPU:                cmp.Or(a.CPU, d.CPU),
		VCPU:               cmp.Or(a.VCPU, d.VCPU),
		MemoryMiB:          cmp.Or(a.Memory, d.MemoryMiB),
	}
}

func listOrDefault(values, standard []string) []string {
	if len(values) == 0 {
		return standard
	}
	return values
}
