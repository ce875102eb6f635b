//go:generate packer-sdc mapstructure-to-hcl2 -type Config,App,Catalog,Community,OpenNebula,Transfer,SSH,S3,Serve

package marketplace

import (
	"errors"

	"github.com/hashicorp/packer-plugin-sdk/common"
	"github.com/hashicorp/packer-plugin-sdk/template/config"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/fieldcheck"
)

// Config is the configuration of the post-processor "slm-copilot-marketplace".
type Config struct {
	common.PackerConfig `mapstructure:",squash"`
	// App describes the app; every field has a default.
	App App `mapstructure:"app"`
	// Catalog publishes into a directory, Community writes the files of a pull request, and
	// OpenNebula publishes in a cloud. At least one of them must be set.
	Catalog    *Catalog    `mapstructure:"catalog"`
	Community  *Community  `mapstructure:"community"`
	OpenNebula *OpenNebula `mapstructure:"opennebula"`
	// AllowUnverified publishes an image that the post-processor "slm-copilot-verify" has not
	// proven, and says so in the description.
	AllowUnverified bool `mapstructure:"allow_unverified"`
	// DryRun reports what would be done, without doing it.
	DryRun bool `mapstructure:"dry_run"`
}

func (c *Config) decode(raws ...any) error {
	// No interpolation: braces in a description are meant literally.
	err := config.Decode(c, &config.DecodeOpts{PluginType: "slm-copilot-marketplace"}, raws...)
	if err != nil {
		return err
	}
	c.hideSecrets()
	return c.check().Err()
}

// hideSecrets keeps passwords, tokens and keys out of Packer's log.
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

// check looks only at the values, because a template must validate on machines that have
// neither the image nor the catalog nor the credentials.
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
