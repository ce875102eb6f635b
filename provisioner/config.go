//go:generate packer-sdc mapstructure-to-hcl2 -type Config,LocalAI,Backend,Model,ContextPackage

package provisioner

import (
	"cmp"

	"github.com/hashicorp/packer-plugin-sdk/template/config"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/fieldcheck"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/lockfile"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/sourceuri"
)

// Config is what a template may say in provisioner "slm-copilot". What it does not say is
// taken from the lock.
type Config struct {
	// LockFile is the path of a lock; that of the plugin unless given.
	LockFile string `mapstructure:"lock_file"`
	// AllowUnpinned takes a payload whose digest nobody knows, and tells it.
	AllowUnpinned bool `mapstructure:"allow_unpinned"`
	// LocalAI is the engine.
	LocalAI LocalAI `mapstructure:"localai"`
	// Backend is what the engine starts to run the model.
	Backend Backend `mapstructure:"backend"`
	// Model is the weights.
	Model Model `mapstructure:"model"`
	// Context is who applies the context to the operating system: "cloud-init" or
	// "one-context".
	Context string `mapstructure:"context"`
	// ContextPackage is one-context's Debian package.
	ContextPackage ContextPackage `mapstructure:"context_package"`
	// Packages are Debian packages to install besides those the appliance needs.
	Packages []string `mapstructure:"packages"`
	// PackageDirectory holds the Debian packages to install without a mirror; an empty one
	// is filled with those that a mirror gave.
	PackageDirectory string `mapstructure:"package_directory"`
	// ApplianceVersion is the version of the image, "1.0.0" unless given.
	ApplianceVersion string `mapstructure:"appliance_version"`

	// lock is what LockFile holds.
	lock lockfile.Lock
}

// LocalAI is the block "localai": the bare binary of a LocalAI release.
type LocalAI struct {
	// Source is a path or an http(s) URL.
	Source string `mapstructure:"source"`
	// Checksum is "sha256:<hex>", or "none" for a local file taken as it is.
	Checksum string `mapstructure:"checksum"`
	// Version is the release, "v4.9.0". The appliance reports it.
	Version string `mapstructure:"version"`
}

// Backend is the block "backend": the llama-cpp backend, with run.sh at its top.
type Backend struct {
	// Source is an OCI image ("oci://host/repository:tag"), a directory, or a path or URL of
	// a .tar, .tar.gz, .tgz or .tar.zst.
	Source string `mapstructure:"source"`
	// Checksum is as for LocalAI, that of an OCI image the digest of its manifest or index.
	// A directory has none.
	Checksum string `mapstructure:"checksum"`
	// Token is sent to the host of Source alone.
	Token string `mapstructure:"token" sensitive:"true"`
}

// Model is the block "model": one GGUF file.
type Model struct {
	// Source is a path or an http(s) URL.
	Source string `mapstructure:"source"`
	// Checksum is "sha256:<hex>", or "none" for a local file taken as it is.
	Checksum string `mapstructure:"checksum"`
	// Token is sent to the host of Source alone.
	Token string `mapstructure:"token" sensitive:"true"`
	// ID is what clients send as "model".
	ID string `mapstructure:"id"`
	// Name is for people, "Devstral Small 2 24B"; the id unless given.
	Name string `mapstructure:"name"`
	// Quantization is for people, "Q4_K_M"; what the file says unless given.
	Quantization string `mapstructure:"quantization"`
	// License is an SPDX expression.
	License string `mapstructure:"license"`
}

// ContextPackage is the block "context_package".
type ContextPackage struct {
	// Source is a path or an http(s) URL of a .deb.
	Source string `mapstructure:"source"`
	// Checksum is "sha256:<hex>", or "none" for a local file taken as it is.
	Checksum string `mapstructure:"checksum"`
}

// The values of Context.
const (
	contextCloudInit  = "cloud-init"
	contextOneContext = "one-context"
)

const defaultApplianceVersion = "1.0.0"

func (c *Config) decode(raws ...any) error {
	err := config.Decode(c, &config.DecodeOpts{PluginType: appliance.Name, Interpolate: true}, raws...)
	if err != nil {
		return err
	}
	c.hideSecrets()
	if c.Context == "" {
		c.Context = contextCloudInit
	}
	var fields fieldcheck.Fields
	fields.Check("lock_file", c.LockFile, c.readLock)
	c.setDefaults()
	c.check(&fields)
	return fields.Err()
}

// hideSecrets keeps them out of Packer's log.
func (c *Config) hideSecrets() {
	secrets := []string{c.Backend.Token, c.Model.Token}
	for _, p := range c.payloads() {
		secrets = append(secrets, sourceuri.Password(p.source))
	}
	fieldcheck.HideSecrets(secrets...)
}

func (c *Config) readLock(path string) (err error) {
	c.lock, err = lockfile.Open(path)
	return err
}

// setDefaults takes from the lock what is the same for every architecture.
func (c *Config) setDefaults() {
	c.ApplianceVersion = cmp.Or(c.ApplianceVersion, defaultApplianceVersion)
	engine, _ := c.lock.Find(lockfile.KindLocalAI, "", c.LocalAI.Source)
	c.LocalAI.Version = cmp.Or(c.LocalAI.Version, engine.Version)
	model, _ := c.lock.Find(lockfile.KindModel, "", c.Model.Source)
	c.Model.ID = cmp.Or(c.Model.ID, model.Name, appliance.ModelID)
	c.Model.Name = cmp.Or(c.Model.Name, c.Model.ID)
	c.Model.License = cmp.Or(c.Model.License, model.License)
}
