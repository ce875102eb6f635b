package marketplace

import (
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/fieldcheck"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/community"
)

// Community is the block "community": the files of a pull request to OpenNebula's
// community marketplace.
type Community struct {
	// Directory is a checkout of the repository, or any other directory.
	Directory string `mapstructure:"directory"`
	// ImageURL is where the image will be downloaded from.
	ImageURL string `mapstructure:"image_url"`
	// LogoFile is a PNG file of 300 by 300 pixels; without one the repository has it.
	LogoFile string `mapstructure:"logo_file"`
}

func (c *Community) check(fields *fieldcheck.Fields) {
	fields.Check("community.directory", c.Directory, fieldcheck.Set)
	fields.Check("community.image_url", c.ImageURL, community.CheckImageURL)
	fields.Known(map[string]string{"community.logo_file": c.LogoFile})
}
