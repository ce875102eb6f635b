//go:generate packer-sdc mapstructure-to-hcl2 -type Config,App,Catalog,Community,OpenNebula,Transfer,SSH,S3,Serve

package marketplace

import (
	"errors"

	"github.com/hashicorp/packer-plugin-sdk/common"
	"github.com/hashicorp/packer-plugin-sdk/template/config"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/fieldcheck"
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
	return c.check().Err()
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
	fieldcheck.HideSecrets(secrets...)
}

// check looks at nothing but the values: a template is validated on machines that hold
// neither image nor catalog nor credentials.
func (c *Config) check() *fieldcheck.Fields {
	fields := new(fieldcheck.Fields)
	if c.Catalog == nil && c.Community == nil && c.OpenNebula == nil {
		fields.Add(errors.New(`no destination is given; add a block catalog, community or opennebula, such as ` +
			`catalog { directory = "dist/marketplace", base_url = "https://apps.example.org" }, one attribute per line`))
	}
	c.App.check(fields)
	if c.Catalog != nil {
		c.Catalog.check(fields)
	}
	if c.Community != nil {
		c.Community.check(fields)
	}
	if c.OpenNebula != nil {
		c.OpenNebula.check(fields)
	}
	return fields
}
