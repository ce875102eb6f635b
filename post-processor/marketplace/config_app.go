package marketplace

import (
	"cmp"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/fieldcheck"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/app"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/storedtext"
)

// App is the block "app": how marketplaces present the appliance, and the size of the
// virtual machines created from it.
type App struct {
	// Name is the title without the version: "SLM-Copilot" becomes "SLM-Copilot 1.0.0".
	Name string `mapstructure:"name"`
	// Version defaults to the one in the image's manifest.
	Version          string   `mapstructure:"version"`
	Publisher        string   `mapstructure:"publisher"`
	PublisherEmail   string   `mapstructure:"publisher_email"`
	Description      string   `mapstructure:"description"`
	ShortDescription string   `mapstructure:"short_description"`
	Tags             []string `mapstructure:"tags"`
	// Logo is the file name of a PNG in the cloud's web interface, without a directory.
	Logo string `mapstructure:"logo"`
	// CPU, VCPU and Memory (in MiB) follow the model if they are nil; 0 is a mistake.
	CPU    *int `mapstructure:"cpu"`
	VCPU   *int `mapstructure:"vcpu"`
	Memory *int `mapstructure:"memory"`
	// OpenNebulaVersions are the OpenNebula releases that are offered the app.
	OpenNebulaVersions []string `mapstructure:"opennebula_versions"`
}

// check validates the fields with the defaults filled in.
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
	fields.Number("app.cpu", a.CPU, 1)
	fields.Number("app.vcpu", a.VCPU, 1)
	fields.Number("app.memory", a.Memory, 1)
}

// withDefaults fills in the defaults for an unknown image, for fields that are not set.
func (a *App) withDefaults() app.App { return a.over(app.Default()) }

// over returns d with the fields that are set in a.
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
		CPU:                numberOrDefault(a.CPU, d.CPU),
		VCPU:               numberOrDefault(a.VCPU, d.VCPU),
		MemoryMiB:          numberOrDefault(a.Memory, d.MemoryMiB),
		Models:             d.Models,
	}
}

func numberOrDefault(value *int, standard int) int {
	if value == nil {
		return standard
	}
	return *value
}

func listOrDefault(values, standard []string) []string {
	if len(values) == 0 {
		return standard
	}
	return values
}
