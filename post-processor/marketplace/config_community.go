package marketplace

import "github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/community"

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

func (c *Community) rules() []rule {
	return []rule{
		{"community.directory", []string{c.Directory}, checkGiven},
		{"community.image_url", []string{c.ImageURL}, community.CheckImageURL},
		{"community.logo_file", given(c.LogoFile), anything},
	}
}
