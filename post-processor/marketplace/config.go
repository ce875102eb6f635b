//go:generate packer-sdc mapstructure-to-hcl2 -type Config,App,Catalog,OpenNebula

package marketplace

import (
	"errors"
	"fmt"
	"slices"

	"github.com/hashicorp/packer-plugin-sdk/common"
	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"
	"github.com/hashicorp/packer-plugin-sdk/template/config"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/catalog"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/hclunknown"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/marketapp"
)

// Config is what a template may say in post-processor "slm-copilot-marketplace".
type Config struct {
	common.PackerConfig `mapstructure:",squash"`
	// App says what is published; every field has a default.
	App App `mapstructure:"app"`
	// Catalog is the directory to publish into.
	Catalog *Catalog `mapstructure:"catalog"`
	// OpenNebula is refused with the reason and the alternative.
	OpenNebula *OpenNebula `mapstructure:"opennebula"`
}

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

// Catalog is the block "catalog".
type Catalog struct {
	Directory string `mapstructure:"directory"`
	// BaseURL is where a web server will serve the directory.
	BaseURL string `mapstructure:"base_url"`
}

// OpenNebula is the block "opennebula". Its fields are known so that a template written
// for it gets one clear answer instead of one complaint per field.
type OpenNebula struct {
	Endpoint    string `mapstructure:"endpoint"`
	Username    string `mapstructure:"username"`
	Password    string `mapstructure:"password"`
	Marketplace string `mapstructure:"marketplace"`
	Datastore   string `mapstructure:"datastore"`
}

func (c *Config) decode(raws ...any) error {
	// Nothing is interpolated: braces in a description are the writer's own.
	err := config.Decode(c, &config.DecodeOpts{PluginType: "slm-copilot-marketplace"}, raws...)
	if err != nil {
		return err
	}
	if mistakes := c.check(); len(mistakes) > 0 {
		return packersdk.MultiErrorAppend(nil, mistakes...)
	}
	return nil
}

// check returns every mistake. It looks at nothing but the values: a template is
// validated on machines that hold neither image nor catalog.
func (c *Config) check() []error {
	mistakes := c.checkDestinations()
	for _, r := range c.rules() {
		mistakes = append(mistakes, r.mistakes()...)
	}
	return append(mistakes, c.App.checkNumbers()...)
}

// checkKnown returns the fields whose values Packer does not know although the build has
// run, such as build.ID after a source that has none.
func (c *Config) checkKnown() error {
	var mistakes []error
	for _, r := range c.rules() {
		if slices.ContainsFunc(r.values, hclunknown.Is) {
			mistakes = append(mistakes, fmt.Errorf("%s: refers to a value that this build does not have", r.field))
		}
	}
	return errors.Join(mistakes...)
}

func (c *Config) rules() []rule {
	rules := c.App.rules()
	if c.Catalog != nil {
		rules = append(rules, c.Catalog.rules()...)
	}
	return rules
}

func (c *Config) checkDestinations() []error {
	switch {
	case c.OpenNebula != nil:
		return []error{errors.New("opennebula: publishing through OpenNebula's API is not available in this version; " +
			"use a block catalog, serve its directory, and add it to OpenNebula as a marketplace with MARKET_MAD=one")}
	case c.Catalog == nil:
		return []error{errors.New(`catalog: no destination is given; add a block such as ` +
			`catalog { directory = "dist/marketplace", base_url = "https://apps.example.org" }, one attribute per line`)}
	}
	return nil
}

func (c *Catalog) rules() []rule {
	return []rule{
		{"catalog.directory", []string{c.Directory}, catalog.CheckDirectory},
		{"catalog.base_url", []string{c.BaseURL}, func(text string) error {
			_, err := catalog.ParseBaseURL(text)
			return err
		}},
	}
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

// withDefaults is the app with a default for every field that is not given, but for the
// version, which comes from the image.
func (a *App) withDefaults() marketapp.App {
	d := marketapp.Default()
	return marketapp.App{
		Name:               orDefault(a.Name, d.Name),
		Version:            a.Version,
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

// rule holds for each of the values of a field.
type rule struct {
	field  string
	values []string
	check  func(string) error
}

func (r rule) mistakes() []error {
	var mistakes []error
	for _, value := range r.values {
		if hclunknown.Is(value) {
			continue
		}
		if err := r.check(value); err != nil {
			mistakes = append(mistakes, fmt.Errorf("%s: %w", r.field, err))
		}
	}
	return mistakes
}

// given is no value for an optional field that is empty.
func given(value string) []string {
	if value == "" {
		return nil
	}
	return []string{value}
}

func orDefault[T comparable](value, standard T) T {
	var zero T
	if value == zero {
		return standard
	}
	return value
}

func listOrDefault(values, standard []string) []string {
	if len(values) == 0 {
		return standard
	}
	return values
}
