package builder

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/accelerator"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/fetch"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/hclunknown"
)

var (
	diskSizePattern    = regexp.MustCompile(`^([1-9][0-9]{0,5})([MGT])$`)
	machineTypePattern = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`)
)

// check returns every mistake. It looks at nothing but the values: a template is validated
// on machines without the tools and the base image.
func (c *Config) check() []error {
	var mistakes []error
	field := func(name, value string, rule func(string) error) {
		if hclunknown.Is(value) {
			return
		}
		if err := rule(value); err != nil {
			mistakes = append(mistakes, fmt.Errorf("%s: %w", name, err))
		}
	}
	field("base_image", c.BaseImage, checkBaseImage)
	field("base_image_checksum", c.BaseImageChecksum, c.checkBaseImageChecksum)
	field("architecture", c.Architecture, oneOf("x86_64", "aarch64"))
	field("disk_size", c.DiskSize, matches(diskSizePattern, `a number followed by M, G or T such as "40G"`))
	field("cpus", strconv.Itoa(c.CPUs), between(1, 1024))
	field("memory", strconv.Itoa(c.Memory), between(appliance.MinMemory, 16<<20))
	field("accelerator", c.Accelerator, oneOf(accelerator.Auto, accelerator.KVM, accelerator.TCG))
	field("machine_type", c.MachineType, matches(machineTypePattern, `a machine type of QEMU such as "pc"`))
	const nameRule = "up to 64 letters, digits and . _ + ~ -, a letter or digit first"
	field("image_name", c.ImageName, matches(appliance.VersionPattern, nameRule))
	field("image_version", c.ImageVersion, matches(appliance.VersionPattern, nameRule))
	field("output_directory", c.OutputDirectory, checkOutputDirectory)
	field("ssh_timeout", c.SSHTimeout, checkTimeout)
	field("shutdown_timeout", c.ShutdownTimeout, checkTimeout)
	return mistakes
}

func checkBaseImage(image string) error {
	if image == "" {
		return fmt.Errorf("must be set to a path, an http(s) URL or one of %s", strings.Join(catalogueNames(), ", "))
	}
	if strings.Contains(image, "://") && !fetch.IsURL(image) {
		return errors.New("must be a path or an http(s) URL")
	}
	return nil
}

func (c *Config) checkBaseImageChecksum(checksum string) error {
	_, listed := catalogue[c.BaseImage]
	switch {
	case c.BaseImage == "" || hclunknown.Is(c.BaseImage):
		return nil
	case checksum == "" && listed:
		return nil
	case checksum == "":
		return fmt.Errorf(`must be set for a path or a URL: "sha256:<hex>", or %q for a local file taken as it is (only %s need none)`,
			fetch.Unchecked, strings.Join(catalogueNames(), ", "))
	case checksum == fetch.Unchecked && (listed || fetch.IsURL(c.BaseImage)):
		return errors.New(`must be "sha256:<hex>" when the image is downloaded`)
	}
	return fetch.CheckChecksum(checksum)
}

// checkOutputDirectory refuses what cannot stand in a QEMU option.
func checkOutputDirectory(directory string) error {
	if strings.ContainsAny(directory, ",\n\r") {
		return fmt.Errorf("must hold no comma or line break, got %q", directory)
	}
	if base := filepath.Base(directory); base == "." || base == ".." || base == "/" {
		return fmt.Errorf("must name a directory of its own, got %q", directory)
	}
	return nil
}

func checkTimeout(value string) error {
	if value == "" {
		return nil
	}
	if duration, err := time.ParseDuration(value); err != nil || duration <= 0 {
		return fmt.Errorf(`must be a time such as "10m", got %q`, value)
	}
	return nil
}

func between(low, high int) func(string) error {
	return func(value string) error {
		if n, err := strconv.Atoi(value); err != nil || n < low || n > high {
			return fmt.Errorf("must be a whole number from %d to %d, got %s", low, high, value)
		}
		return nil
	}
}

func oneOf(choices ...string) func(string) error {
	return func(value string) error {
		if !slices.Contains(choices, value) {
			return fmt.Errorf("must be one of %s, got %q", strings.Join(choices, ", "), value)
		}
		return nil
	}
}

func matches(pattern *regexp.Regexp, rule string) func(string) error {
	return func(value string) error {
		if !pattern.MatchString(value) {
			return fmt.Errorf("must be %s, got %q", rule, value)
		}
		return nil
	}
}

// diskBytes is the size of the disk; check has seen that DiskSize is well formed.
func (c *Config) diskBytes() int64 {
	parts := diskSizePattern.FindStringSubmatch(c.DiskSize)
	if parts == nil {
		return 0
	}
	number, _ := strconv.ParseInt(parts[1], 10, 64)
	return number << map[string]int{"M": 20, "G": 30, "T": 40}[parts[2]]
}
