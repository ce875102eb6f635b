package marketplace

import (
	"errors"
	"net/url"
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

func (c *Community) rules() []rule {
	return []rule{
		{"community.directory", []string{c.Directory}, checkGiven},
		{"community.image_url", []string{c.ImageURL}, checkURL},
		{"community.logo_file", given(c.LogoFile), anything},
	}
}

// checkURL is the coarse rule; the package that writes the files knows the finer ones.
func checkURL(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil {
		return errors.New(`must be an http(s) URL without credentials, such as "https://cdn.example.org/slm-copilot-1.0.0.qcow2"`)
	}
	return nil
}
