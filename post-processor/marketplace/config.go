//go:generate packer-sdc mapstructure-to-hcl2 -type Config,App,Catalog,Community,OpenNebula,Transfer,SSH,S3,Serve

package marketplace

import (
	"errors"
	"fmt"
	"slices"

	"github.com/hashicorp/packer-plugin-sdk/common"
	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"
	"github.com/hashicorp/packer-plugin-sdk/template/config"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/hclunknown"
)

// Config is what a template may say in post-processor "slm-copilot-marketplace".
type Config struct {
	common.PackerConfig `mapstructure:",squash"`
	// App says what is published; every field has a default.
	App App `mapstructure:"app"`
	// Catalog is a directory to publish into, Community one for the files of a pull
	// request, OpenNebula a cloud. At least one of them is given.
	Catalog    *Catalog    `mapstructure:"catalog"`
	Community  *Community  `mapstructure:"community"`
	OpenNebula *OpenNebula `mapstructure:"opennebula"`
	// DryRun tells what would be done, and does nothing.
	DryRun bool `mapstructure:"dry_run"`
}

func (c *Config) decode(raws ...any) error {
	// Nothing is interpolated: braces in a description are the writer's own.
	err := config.Decode(c, &config.DecodeOpts{PluginType: "slm-copilot-marketplace"}, raws...)
	if err != nil {
		return err
	}
	c.hideSecrets()
	if mistakes := c.check(); len(mistakes) > 0 {
		return packersdk.MultiErrorAppend(nil, mistakes...)
	}
	return nil
}

// hideSecrets keeps them out of Packer's log.
func (c *Config) hideSecrets() {
	var secrets []string
	if c.Catalog != nil {
		secrets = append(secrets, c.Catalog.SigningKeyPassword)
	}
	if c.OpenNebula != nil {
		secrets = append(secrets, c.OpenNebula.secrets()...)
	}
	for _, secret := range secrets {
		if secret != "" && !hclunknown.Is(secret) {
			packersdk.LogSecretFilter.Set(secret)
		}
	}
}

// check returns every mistake. It looks at nothing but the values: a template is
// validated on machines that hold neither image nor catalog nor credentials.
func (c *Config) check() []error {
	var mistakes []error
	if c.Catalog == nil && c.Community == nil && c.OpenNebula == nil {
		mistakes = append(mistakes, errors.New(`no destination is given; add a block catalog, community or opennebula, such as `+
			`catalog { directory = "dist/marketplace", base_url = "https://apps.example.org" }, one attribute per line`))
	}
	for _, r := range c.rules() {
		mistakes = append(mistakes, r.mistakes()...)
	}
	mistakes = append(mistakes, c.App.checkNumbers()...)
	if c.Catalog != nil {
		mistakes = append(mistakes, c.Catalog.checkRest()...)
	}
	if c.OpenNebula != nil {
		mistakes = append(mistakes, c.OpenNebula.checkRest()...)
	}
	return mistakes
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
	if c.Community != nil {
		rules = append(rules, c.Community.rules()...)
	}
	if c.OpenNebula != nil {
		rules = append(rules, c.OpenNebula.rules()...)
	}
	return rules
}
