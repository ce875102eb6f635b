package marketplace

import (
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/fieldcheck"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/catalog"
)

// Catalog is the block "catalog".
type Catalog struct {
	Directory string `mapstructure:"directory"`
	// BaseURL is the URL at which a web server will serve Directory.
	BaseURL string `mapstructure:"base_url"`
	// KeepVersions is the number of versions to keep; 0 keeps all.
	KeepVersions int `mapstructure:"keep_versions"`
	// SigningKeyFile is a minisign secret key; SigningKeyPassword decrypts it.
	SigningKeyFile     string `mapstructure:"signing_key_file"`
	SigningKeyPassword string `mapstructure:"signing_key_password"`
}

func (c *Catalog) check(fields *fieldcheck.Fields) {
	fields.Check("catalog.directory", c.Directory, catalog.CheckDirectory)
	fields.Check("catalog.base_url", c.BaseURL, checkBaseURL)
	fields.Known(map[string]string{"catalog.signing_key_file": c.SigningKeyFile, "catalog.signing_key_password": c.SigningKeyPassword})
	fields.Expect(c.SigningKeyPassword == "" || c.SigningKeyFile != "",
		"catalog.signing_key_password", "opens catalog.signing_key_file, which is not set")
	expectKeepVersions(fields, "catalog.keep_versions", c.KeepVersions)
}

func checkBaseURL(text string) error {
	_, err := catalog.ParseBaseURL(text)
	return err
}

func expectKeepVersions(fields *fieldcheck.Fields, name string, versions int) {
	fields.Expect(versions >= 0, name, "must be 0 for all or a number of versions, got %d", versions)
}
