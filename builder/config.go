//go:generate packer-sdc mapstructure-to-hcl2 -type Config,Model

package builder

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/hashicorp/packer-plugin-sdk/common"
	"github.com/hashicorp/packer-plugin-sdk/template/config"
	"github.com/hashicorp/packer-plugin-sdk/template/interpolate"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/fieldcheck"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/fetch"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/lockfile"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/sourceuri"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/vm/accelerator"
)

// Config is the configuration of the source "slm-copilot".
type Config struct {
	common.PackerConfig `mapstructure:",squash"`

	// BaseImage is a name from the catalogue ("ubuntu-24.04"), or the path or http(s) URL
	// of a QCOW2 cloud image with cloud-init.
	BaseImage string `mapstructure:"base_image"`
	// BaseImageChecksum is "sha256:<hex>", or "none" to use a local file unchecked. If it
	// is empty, the digest comes from the lock file.
	BaseImageChecksum string `mapstructure:"base_image_checksum"`
	// LockFile is the path of the lock file that pins the downloads; empty for the one in
	// the plugin.
	LockFile string `mapstructure:"lock_file"`
	// AllowUnpinned allows inputs that neither a checksum nor the lock file pins.
	AllowUnpinned bool `mapstructure:"allow_unpinned"`

	// Architecture is the machine's: "x86_64" (the default) or "aarch64".
	Architecture string `mapstructure:"architecture"`
	// DiskSize is the virtual size of the appliance's disk, such as "40G" (the default).
	DiskSize string `mapstructure:"disk_size"`
	// CPUs and Memory (in MiB) are the size of the machine during the build. The default of
	// Memory is what the model wants, if there is the block "model".
	CPUs   int `mapstructure:"cpus"`
	Memory int `mapstructure:"memory"`
	// Accelerator is "auto", "kvm" or "tcg".
	Accelerator string `mapstructure:"accelerator"`
	// MachineType is a QEMU machine type. The default is "pc", or "virt" on aarch64.
	MachineType string `mapstructure:"machine_type"`
	// Firmware is "bios" or "uefi"; aarch64 supports only "uefi".
	Firmware string `mapstructure:"firmware"`
	// CloudInit is cloud-config (YAML) for the first boot, in addition to the builder's
	// own.
	CloudInit string `mapstructure:"cloud_init"`

	// Model is the weights. They are attached to the machine as a disk, for the provisioner
	// to copy.
	Model *Model `mapstructure:"model"`
	// ModelDisk keeps the weights on a disk of their own, which is published as a second
	// image.
	ModelDisk bool `mapstructure:"model_disk"`
	// OtherModels are on that disk too: models that users may choose in place of Model.
	OtherModels []Model `mapstructure:"other_model"`

	// ImageName and ImageVersion make the file name and go into the manifest.
	ImageName    string `mapstructure:"image_name"`
	ImageVersion string `mapstructure:"image_version"`
	// OutputDirectory is created only when the build succeeds, and never holds half a
	// build.
	OutputDirectory string `mapstructure:"output_directory"`

	// SSHTimeout is how long the machine may take to boot, and ShutdownTimeout to power
	// off. The defaults are three times as long under emulation.
	SSHTimeout      string `mapstructure:"ssh_timeout"`
	ShutdownTimeout string `mapstructure:"shutdown_timeout"`

	ctx  interpolate.Context
	lock lockfile.Lock
}

// Model is the block "model" or "other_model": one GGUF file.
type Model struct {
	// ID is the name of the model in the lock file, and of its file on the model disk; the default
	// is the name that the lock file has for Source.
	ID string `mapstructure:"id"`
	// Source is a path or an http(s) URL; the default is the lock file's.
	Source string `mapstructure:"source"`
	// Checksum has the form of BaseImageChecksum.
	Checksum string `mapstructure:"checksum"`
	// Token is a bearer token, sent only to the host of Source.
	Token string `mapstructure:"token" sensitive:"true"`
}

// Defaults of the numbers and timeouts; setDefaults has the others.
const (
	defaultCPUs            = 2
	defaultSSHTimeout      = 10 * time.Minute
	defaultShutdownTimeout = 5 * time.Minute
	// slowdown multiplies the default timeouts under emulation.
	slowdown = 3
)

// decode reads the block and reports every mistake in it.
func (c *Config) decode(raws ...any) (warnings []string, err error) {
	err = config.Decode(c, &config.DecodeOpts{
		PluginType:         appliance.BuilderID,
		Interpolate:        true,
		InterpolateContext: &c.ctx,
		// Braces in cloud_init belong to its author, such as those of a template in a file.
		InterpolateFilter: &interpolate.RenderFilter{Exclude: []string{"cloud_init"}},
	}, raws...)
	if err != nil {
		return nil, err
	}
	c.hideSecrets()
	c.setDefaults()
	if err := c.check().Err(); err != nil {
		return nil, err
	}
	return c.warnings(), nil
}

// hideSecrets keeps passwords in URLs and tokens out of Packer's log.
func (c *Config) hideSecrets() {
	secrets := []string{sourceuri.Password(c.BaseImage)}
	for _, m := range c.models() {
		secrets = append(secrets, sourceuri.Password(m.Source), m.Token)
	}
	fieldcheck.HideSecrets(secrets...)
}

func (c *Config) warnings() []string {
	var found []string
	if c.BaseImageChecksum == fetch.Unchecked {
		found = append(found, fmt.Sprintf("base_image_checksum is %q: nothing tells whether %s is the image you mean",
			fetch.Unchecked, c.BaseImage))
	}
	for _, m := range c.models() {
		if m.Checksum == fetch.Unchecked {
			found = append(found, fmt.Sprintf("%s.checksum is %q: nothing tells whether %s is the model you mean",
				m.field, fetch.Unchecked, m.Source))
		}
	}
	return found
}

func (c *Config) setDefaults() {
	if c.Architecture == "" {
		c.Architecture = x86
	}
	texts := []struct {
		field *string
		value string
	}{
		{&c.DiskSize, "40G"},
		{&c.Accelerator, accelerator.Auto},
		{&c.MachineType, hardwareOf(c.Architecture).machine},
		{&c.Firmware, hardwareOf(c.Architecture).firmware},
		{&c.ImageName, appliance.Name},
		{&c.ImageVersion, "1.0.0"},
		{&c.OutputDirectory, filepath.Join("dist", c.PackerBuildName)},
	}
	for _, text := range texts {
		if *text.field == "" {
			*text.field = text.value
		}
	}
	c.OutputDirectory = filepath.Clean(c.OutputDirectory)
	if c.CPUs == 0 {
		c.CPUs = defaultCPUs
	}
}

// outputFree rejects an output directory that exists. It is called when a build starts and
// again when it ends, and not by Prepare: a template stays valid after it has been built.
func (c *Config) outputFree() error {
	if c.PackerForce {
		return nil
	}
	if _, err := os.Lstat(c.OutputDirectory); err == nil {
		return fmt.Errorf("%s exists already; remove it, choose another, or build with -force to replace it", c.OutputDirectory)
	}
	return nil
}

// baseName is the common prefix of the files next to the image.
func (c *Config) baseName() string {
	return c.ImageName + "-" + c.ImageVersion + "-" + c.Architecture
}

// imageFile is the name of the finished image.
func (c *Config) imageFile() string {
	return c.baseName() + ".qcow2"
}

// serialLogFile is the name of the console log beside the image.
func (c *Config) serialLogFile() string {
	return c.baseName() + appliance.SerialLogSuffix
}

// partialDirectory is the working directory of a build until it succeeds.
func (c *Config) partialDirectory() string {
	return c.OutputDirectory + ".partial"
}

// failedDirectory keeps the files of a build that failed after its machine was finished.
func (c *Config) failedDirectory() string {
	return c.OutputDirectory + ".failed"
}

// failedSerialLog keeps the console log of a failed build.
func (c *Config) failedSerialLog() string {
	return c.OutputDirectory + appliance.SerialLogSuffix
}

// timeout parses a timeout of the template; if it is empty, it returns the default,
// adjusted for the accelerator.
func timeout(value string, standard time.Duration, acceleratorName string) time.Duration {
	if value == "" {
		if acceleratorName == accelerator.TCG {
			return slowdown * standard
		}
		return standard
	}
	// check has already parsed it.
	duration, _ := time.ParseDuration(value)
	return duration
}
