//go:generate packer-sdc mapstructure-to-hcl2 -type Config,LocalAI,Backend,Model,ContextPackage

package provisioner

import (
	"cmp"

	"github.com/hashicorp/packer-plugin-sdk/template/config"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/fieldcheck"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/model/catalogue"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/lockfile"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/sourceuri"
)

// Config is the configuration of the provisioner "slm-copilot". Values that are not set come
// from the lock file.
type Config struct {
	// LockFile is the path of the lock file; empty for the one in the plugin.
	LockFile string `mapstructure:"lock_file"`
	// AllowUnpinned allows payloads whose digest nothing pins, and reports them.
	AllowUnpinned bool `mapstructure:"allow_unpinned"`
	// LocalAI is the inference engine.
	LocalAI LocalAI `mapstructure:"localai"`
	// Backend is the process that the engine starts to run the model.
	Backend Backend `mapstructure:"backend"`
	// Model is the one that is served unless the context names another.
	Model Model `mapstructure:"model"`
	// OtherModels may be chosen in its place.
	OtherModels []Model `mapstructure:"other_model"`
	// Context is the program that applies the context to the operating system: "one-context"
	// (the default), which is OpenNebula's own, or "cloud-init" with its limits.
	Context string `mapstructure:"context"`
	// ContextPackage is the Debian package of one-context.
	ContextPackage ContextPackage `mapstructure:"context_package"`
	// Packages are names of additional Debian packages to install.
	Packages []string `mapstructure:"packages"`
	// PackageDirectory is a directory of Debian packages to install instead of those of a
	// mirror. If it has none, it is filled with the packages that the mirror supplies.
	PackageDirectory string `mapstructure:"package_directory"`
	// ApplianceVersion is the version of the image. The default is image_version of the source
	// "slm-copilot", or "1.0.0" with another source.
	ApplianceVersion string `mapstructure:"appliance_version"`

	// lock is the parsed lock file.
	lock lockfile.Lock
}

// LocalAI is the block "localai": the plain binary of a LocalAI release.
type LocalAI struct {
	// Source is a path or an http(s) URL.
	Source string `mapstructure:"source"`
	// Checksum is "sha256:<hex>", or "none" for a local file taken as it is.
	Checksum string `mapstructure:"checksum"`
	// Version is the LocalAI release, such as "v4.9.0", which the appliance reports.
	Version string `mapstructure:"version"`
}

// Backend is the block "backend": LocalAI's llama-cpp backend, with run.sh in its top
// directory.
type Backend struct {
	// Source is an OCI image ("oci://host/repository:tag"), a directory, or a path or URL of
	// a .tar, .tar.gz, .tgz or .tar.zst, of the files or of an image.
	Source string `mapstructure:"source"`
	// Checksum has the form of LocalAI.Checksum. For an OCI image it is the digest of the
	// manifest or index. A directory has none.
	Checksum string `mapstructure:"checksum"`
	// Token is sent only to the host of Source.
	Token string `mapstructure:"token" sensitive:"true"`
}

// Model is the block "model" or "other_model": one GGUF file.
type Model struct {
	// Source is a path or an http(s) URL.
	Source string `mapstructure:"source"`
	// Checksum is "sha256:<hex>", or "none" for a local file taken as it is.
	Checksum string `mapstructure:"checksum"`
	// Token is sent only to the host of Source.
	Token string `mapstructure:"token" sensitive:"true"`
	// ID is the model name in API requests ("model"), and without Source the name of the model in
	// the lock.
	ID string `mapstructure:"id"`
	// Name is a name for display, such as "Devstral Small 2 24B"; the default is that of the
	// catalogue of models for ID, else ID.
	Name string `mapstructure:"name"`
	// Quantization is for display, such as "Q4_K_M"; the default is read from the file.
	Quantization string `mapstructure:"quantization"`
	// License is an SPDX expression.
	License string `mapstructure:"license"`
	// LicenseFile is the path of a file with the text of the licence, for one whose text the
	// plugin does not know, or one that names the holder of the rights.
	LicenseFile string `mapstructure:"license_file"`
}

// ContextPackage is the block "context_package".
type ContextPackage struct {
	// Source is a path or an http(s) URL of a .deb.
	Source string `mapstructure:"source"`
	// Checksum is "sha256:<hex>", or "none" for a local file taken as it is.
	Checksum string `mapstructure:"checksum"`
}

const defaultApplianceVersion = "1.0.0"

func (c *Config) decode(raws ...any) error {
	err := config.Decode(c, &config.DecodeOpts{PluginType: appliance.Name, Interpolate: true}, raws...)
	if err != nil {
		return err
	}
	c.hideSecrets()
	if c.Context == "" {
		c.Context = appliance.OneContext
	}
	var fields fieldcheck.Fields
	fields.Check("lock_file", c.LockFile, c.readLock)
	c.setDefaults()
	c.check(&fields)
	return fields.Err()
}

// hideSecrets keeps tokens and passwords in URLs out of Packer's log.
func (c *Config) hideSecrets() {
	var secrets []string
	for _, p := range c.payloads() {
		secrets = append(secrets, sourceuri.Password(p.source), p.token)
	}
	fieldcheck.HideSecrets(secrets...)
}

func (c *Config) readLock(path string) (err error) {
	c.lock, err = lockfile.Open(path)
	return err
}

// setDefaults fills in what the lock gives for all architectures alike.
func (c *Config) setDefaults() {
	engine, _ := c.lock.Find(lockfile.KindLocalAI, "", c.LocalAI.Source)
	c.LocalAI.Version = cmp.Or(c.LocalAI.Version, engine.Version)
	for _, m := range c.models() {
		locked, _ := c.lock.FindModel("", m.Source, m.ID)
		m.ID = cmp.Or(m.ID, locked.Name)
		if m.field == fieldModel && m.Source != "" {
			m.ID = cmp.Or(m.ID, appliance.ModelID)
		}
		known, _ := catalogue.ByID(m.ID)
		m.Name = cmp.Or(m.Name, known.Name, m.ID)
		m.License = cmp.Or(m.License, locked.License)
	}
}
