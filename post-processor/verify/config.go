//go:generate packer-sdc mapstructure-to-hcl2 -type Config

package verify

import (
	"fmt"
	"time"

	"github.com/hashicorp/packer-plugin-sdk/common"
	"github.com/hashicorp/packer-plugin-sdk/template/config"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/fieldcheck"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/vm/accelerator"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/vm/firmware"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/vm/instance"
)

// Config is the configuration of the post-processor "slm-copilot-verify".
type Config struct {
	common.PackerConfig `mapstructure:",squash"`
	// Context holds context variables, as a user would set them in OpenNebula. Unless they
	// include a password, one is generated.
	Context map[string]string `mapstructure:"context"`
	// ModelID is the id of the model that the appliance must serve; the default is the model that
	// Context names, else the first one in the manifest of the image.
	ModelID string `mapstructure:"model_id"`
	// Memory (in MiB) and CPUs are the size of the virtual machine. The default of Memory is
	// what the model wants, by the manifest.
	Memory int `mapstructure:"memory"`
	CPUs   int `mapstructure:"cpus"`
	// Accelerator is "auto", "kvm" or "tcg".
	Accelerator string `mapstructure:"accelerator"`
	// Firmware is "bios" (the default), "uefi", or "both": the boot after the power cycle
	// is UEFI then.
	Firmware string `mapstructure:"firmware"`
	// BootTimeout limits each boot, from power-on to the first token; the default is 15
	// minutes.
	BootTimeout string `mapstructure:"boot_timeout"`
	// Reboot can be set to false to skip the power cycle.
	Reboot config.Trilean `mapstructure:"reboot"`
}

// bothFirmwares covers both in the two boots that are made anyway.
const bothFirmwares = "both"

const (
	defaultCPUs        = 2
	defaultBootTimeout = 15 * time.Minute
)

func (c *Config) decode(raws ...any) error {
	// No interpolation: braces in a password are meant literally.
	err := config.Decode(c, &config.DecodeOpts{PluginType: appliance.VerifyBuilderID}, raws...)
	if err != nil {
		return err
	}
	c.setDefaults()
	return c.check().Err()
}

func (c *Config) setDefaults() {
	if c.CPUs == 0 {
		c.CPUs = defaultCPUs
	}
	if c.Accelerator == "" {
		c.Accelerator = accelerator.Auto
	}
	if c.Firmware == "" {
		c.Firmware = firmware.BIOS
	}
	if c.BootTimeout == "" {
		c.BootTimeout = defaultBootTimeout.String()
	}
}

// check looks only at the values, because a template must validate on machines without QEMU
// and without the image.
func (c *Config) check() *fieldcheck.Fields {
	fields := new(fieldcheck.Fields)
	c.checkContext(fields)
	fields.Known(map[string]string{"model_id": c.ModelID})
	fields.Expect(c.Memory == 0 || c.Memory >= appliance.MinMemory, "memory", "must be at least %d (MiB), got %d", appliance.MinMemory, c.Memory)
	fields.Minimum("cpus", c.CPUs, 1)
	fields.Check("accelerator", c.Accelerator, fieldcheck.OneOf(accelerator.Auto, accelerator.KVM, accelerator.TCG))
	fields.Check("firmware", c.Firmware, fieldcheck.OneOf(firmware.BIOS, firmware.UEFI, bothFirmwares))
	fields.Expect(c.Firmware != bothFirmwares || !c.Reboot.False(), "firmware", "%q needs two boots, so reboot must not be false", bothFirmwares)
	fields.Check("boot_timeout", c.BootTimeout, fieldcheck.Duration)
	return fields
}

// checkContext skips variables whose values are not known yet.
func (c *Config) checkContext(fields *fieldcheck.Fields) {
	texts, known := map[string]string{}, map[string]string{}
	for name, value := range c.Context {
		texts["context."+name] = value
		if !fieldcheck.IsUnknown(value) {
			known[name] = value
		}
	}
	fields.Known(texts)
	for _, mistake := range instance.CheckContext(known) {
		fields.Add(fmt.Errorf("context: %w", mistake))
	}
}

// settings are those of the context; check has reported the mistakes.
func (c *Config) settings() appliance.Settings {
	settings, _ := appliance.ParseSettings(c.Context)
	return settings
}

// keys returns the named keys of the context.
func (c *Config) keys() []string {
	var keys []string
	for _, key := range c.settings().Keys {
		keys = append(keys, key.Key)
	}
	return keys
}

func (c *Config) bootTimeout() time.Duration {
	// check has already parsed it.
	timeout, _ := time.ParseDuration(c.BootTimeout)
	return timeout
}
