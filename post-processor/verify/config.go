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

// Config is what a template may say in post-processor "slm-copilot-verify".
type Config struct {
	common.PackerConfig `mapstructure:",squash"`
	// Context holds what a user would choose in OpenNebula; a password is made up
	// unless it holds one.
	Context map[string]string `mapstructure:"context"`
	// ModelID is the id of the model that must answer.
	ModelID string `mapstructure:"model_id"`
	// Memory (in MiB) and CPUs are those of the virtual machine.
	Memory int `mapstructure:"memory"`
	CPUs   int `mapstructure:"cpus"`
	// Accelerator is "auto", "kvm" or "tcg".
	Accelerator string `mapstructure:"accelerator"`
	// Firmware is "bios", "uefi", or "both": then the boot after the power cycle is by UEFI.
	Firmware string `mapstructure:"firmware"`
	// BootTimeout bounds each boot, from power-on to the first token.
	BootTimeout string `mapstructure:"boot_timeout"`
	// Reboot can be set to false to leave out the power cycle.
	Reboot config.Trilean `mapstructure:"reboot"`
}

// bothFirmwares proves both in the two boots there are anyway.
const bothFirmwares = "both"

const (
	defaultMemory      = 4096
	defaultCPUs        = 2
	defaultBootTimeout = 15 * time.Minute
)

func (c *Config) decode(raws ...any) error {
	// Nothing is interpolated: braces in a password are the writer's own.
	err := config.Decode(c, &config.DecodeOpts{PluginType: appliance.VerifyBuilderID}, raws...)
	if err != nil {
		return err
	}
	c.setDefaults()
	return c.check().Err()
}

func (c *Config) setDefaults() {
	if c.ModelID == "" {
		c.ModelID = appliance.ModelID
	}
	if c.Memory == 0 {
		c.Memory = defaultMemory
	}
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

// check looks at nothing but the values: a template is validated on machines without QEMU
// and the image.
func (c *Config) check() *fieldcheck.Fields {
	fields := new(fieldcheck.Fields)
	c.checkContext(fields)
	fields.Known(map[string]string{"model_id": c.ModelID})
	fields.Expect(c.Memory >= appliance.MinMemory, "memory", "must be at least %d (MiB), got %d", appliance.MinMemory, c.Memory)
	fields.Minimum("cpus", c.CPUs, 1)
	fields.Check("accelerator", c.Accelerator, fieldcheck.OneOf(accelerator.Auto, accelerator.KVM, accelerator.TCG))
	fields.Check("firmware", c.Firmware, fieldcheck.OneOf(firmware.BIOS, firmware.UEFI, bothFirmwares))
	fields.Expect(c.Firmware != bothFirmwares || !c.Reboot.False(), "firmware", "%q needs two boots, so reboot must not be false", bothFirmwares)
	fields.Check("boot_timeout", c.BootTimeout, fieldcheck.Duration)
	return fields
}

// checkContext judges what is known of it.
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

func (c *Config) bootTimeout() time.Duration {
	// check has parsed it before.
	timeout, _ := time.ParseDuration(c.BootTimeout)
	return timeout
}
