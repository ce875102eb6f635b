package marketplace

import (
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/fieldcheck"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/community"
)

// Community is the block "community": the files of a pull request to OpenNebula's
// community marketplace.
type Community struct {
	// Directory is a clone of that repository, or any other directory.
	Directory string `mapstructure:"directory"`
	// ImageURL is the URL from which users will download the image.
	ImageURL string `mapstructure:"image_url"`
	// LogoFile is a PNG file of 300 by 300 pixels. If it is empty, the repository must have
	// the logo already.
	LogoFile string `mapstructure:"logo_file"`
}

func (c *Community) check(fields *fieldcheck.Fields) {
	fields.Check("community.directory", c.Directory, fieldcheck.Set)
	fields.Check("community.image_url", c.ImageURL, community.CheckImageURL)
	fields.Known(map[string]string{"community.logo_file": c.LogoFile})
}
