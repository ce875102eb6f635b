//go:generate packer-sdc mapstructure-to-hcl2 -type Config

package verify

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/hashicorp/packer-plugin-sdk/common"
	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"
	"github.com/hashicorp/packer-plugin-sdk/template/config"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/hclunknown"
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
	if mistakes := c.check(); len(mistakes) > 0 {
		return packersdk.MultiErrorAppend(nil, mistakes...)
	}
	return nil
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

// check returns every mistake. It looks at nothing but the values: a template is
// validated on machines without QEMU and the image.
func (c *Config) check() []error {
	var mistakes []error
	for _, mistake := range instance.CheckContext(c.knownContext()) {
		mistakes = append(mistakes, fmt.Errorf("context: %w", mistake))
	}
	if c.Memory < appliance.MinMemory {
		mistakes = append(mistakes, fmt.Errorf("memory: must be at least %d (MiB), got %d", appliance.MinMemory, c.Memory))
	}
	if c.CPUs < 1 {
		mistakes = append(mistakes, fmt.Errorf("cpus: must be at least 1, got %d", c.CPUs))
	}
	accelerators := []string{accelerator.Auto, accelerator.KVM, accelerator.TCG}
	if !hclunknown.Is(c.Accelerator) && !slices.Contains(accelerators, c.Accelerator) {
		mistakes = append(mistakes, fmt.Errorf("accelerator: must be one of %q, got %q", accelerators, c.Accelerator))
	}
	firmwares := []string{firmware.BIOS, firmware.UEFI, bothFirmwares}
	if !hclunknown.Is(c.Firmware) && !slices.Contains(firmwares, c.Firmware) {
		mistakes = append(mistakes, fmt.Errorf("firmware: must be one of %q, got %q", firmwares, c.Firmware))
	}
	if c.Firmware == bothFirmwares && c.Reboot.False() {
		mistakes = append(mistakes, fmt.Errorf("firmware: %q needs two boots, so reboot must not be false", bothFirmwares))
	}
	if timeout, err := time.ParseDuration(c.BootTimeout); !hclunknown.Is(c.BootTimeout) && (err != nil || timeout <= 0) {
		mistakes = append(mistakes, fmt.Errorf(`boot_timeout: must be a duration such as "15m", got %q`, c.BootTimeout))
	}
	return mistakes
}

// knownContext leaves out what Packer does not know yet.
func (c *Config) knownContext() map[string]string {
	known := maps.Clone(c.Context)
	maps.DeleteFunc(known, func(_, value string) bool { return hclunknown.Is(value) })
	return known
}

// checkKnown returns an error if a value is still unknown when the image has been built,
// such as build.ID after a source that has none.
func (c *Config) checkKnown() error {
	fields := map[string]string{"model_id": c.ModelID, "accelerator": c.Accelerator, "firmware": c.Firmware, "boot_timeout": c.BootTimeout}
	for name, value := range c.Context {
		fields["context."+name] = value
	}
	var unknown []string
	for _, field := range slices.Sorted(maps.Keys(fields)) {
		if hclunknown.Is(fields[field]) {
			unknown = append(unknown, field)
		}
	}
	if len(unknown) > 0 {
		return fmt.Errorf("%q: refers to a value that this build does not have", unknown)
	}
	return nil
}

func (c *Config) bootTimeout() time.Duration {
	// check has parsed it before.
	timeout, _ := time.ParseDuration(c.BootTimeout)
	return timeout
}
