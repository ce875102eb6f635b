package marketplace

import (
	"errors"
	"fmt"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/catalog"
)

// Catalog is the block "catalog".
type Catalog struct {
	Directory string `mapstructure:"directory"`
	// BaseURL is where a web server will serve the directory.
	BaseURL string `mapstructure:"base_url"`
	// KeepVersions is how many versions stay in it; 0 keeps all.
	KeepVersions int `mapstructure:"keep_versions"`
	// SigningKeyFile is a secret key of minisign, SigningKeyPassword opens it.
	SigningKeyFile     string `mapstructure:"signing_key_file"`
	SigningKeyPassword string `mapstructure:"signing_key_password"`
}

func (c *Catalog) rules() []rule {
	return []rule{
		{"catalog.directory", []string{c.Directory}, catalog.CheckDirectory},
		{"catalog.base_url", []string{c.BaseURL}, func(text string) error {
			_, err := catalog.ParseBaseURL(text)
			return err
		}},
		{"catalog.signing_key_file", given(c.SigningKeyFile), anything},
		{"catalog.signing_key_password", given(c.SigningKeyPassword), anything},
	}
}

// checkRest is for what rules of single fields do not tell.
func (c *Catalog) checkRest() []error {
	var mistakes []error
	if c.KeepVersions < 0 {
		mistakes = append(mistakes, fmt.Errorf("catalog.keep_versions: must be 0 for all or a number of versions, got %d", c.KeepVersions))
	}
	if c.SigningKeyPassword != "" && c.SigningKeyFile == "" {
		mistakes = append(mistakes, errors.New("catalog.signing_key_password: opens catalog.signing_key_file, which is not set"))
	}
	return mistakes
}
