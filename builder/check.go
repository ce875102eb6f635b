package builder

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/hclunknown"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/fetch"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/vm/accelerator"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/vm/firmware"
)

var (
	diskSizePattern    = regexp.MustCompile(`^([1-9][0-9]{0,5})([MGT])$`)
	machineTypePattern = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`)
)

// check returns every mistake. It looks at nothing but the values and the lock file: a
// template is validated on machines without the tools and the base image.
func (c *Config) check() []error {
	var mistakes []error
	// good holds the fields whose values are known and in order.
	good := map[string]bool{}
	field := func(name, value string, rule func(string) error) {
		if hclunknown.Is(value) {
			return
		}
		err := rule(value)
		if err != nil {
			mistakes = append(mistakes, fmt.Errorf("%s: %w", name, err))
		}
		good[name] = err == nil
	}
	field("lock_file", c.LockFile, c.readLock)
	field("base_image", c.BaseImage, checkBaseImage)
	field("base_image_checksum", c.BaseImageChecksum, checkChecksum(c.BaseImage))
	if c.Model != nil {
		field("model.source", c.Model.Source, checkModelSource)
		field("model.checksum", c.Model.Checksum, checkChecksum(c.Model.Source))
	} else if c.ModelDisk {
		mistakes = append(mistakes, errors.New("model_disk: needs the block model"))
	}
	field("architecture", c.Architecture, oneOf(x86, arm))
	field("firmware", c.Firmware, oneOf(firmware.BIOS, firmware.UEFI))
	if c.Architecture == arm && c.Firmware == firmware.BIOS {
		mistakes = append(mistakes, errors.New("firmware: aarch64 has no BIOS; leave firmware out"))
	}
	field("cloud_init", c.CloudInit, checkCloudInit)
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
	return append(mistakes, c.checkPins(good)...)
}

// checkPins leaves out what depends on a value that is wrong or not known yet.
func (c *Config) checkPins(good map[string]bool) []error {
	var mistakes []error
	if !good["lock_file"] || !good["architecture"] {
		return nil
	}
	if good["base_image"] && good["base_image_checksum"] {
		if _, err := c.pinBase(); err != nil {
			mistakes = append(mistakes, err)
		}
	}
	if good["model.source"] && good["model.checksum"] {
		if _, err := c.pinModel(); err != nil {
			mistakes = append(mistakes, err)
		}
	}
	return mistakes
}

func checkBaseImage(image string) error {
	if image == "" {
		return fmt.Errorf("must be set to a path, an http(s) URL or one of %s", strings.Join(catalogueNames(), ", "))
	}
	return checkModelSource(image)
}

// checkModelSource lets the source be left out: the lock file may name it.
func checkModelSource(source string) error {
	if !strings.Contains(source, "://") {
		return nil
	}
	u, err := url.Parse(source)
	// The parse error would repeat the URL, and a URL may hold a password.
	if err != nil || !fetch.IsURL(source) || u.Host == "" {
		return errors.New("must be a path or an http(s) URL")
	}
	return nil
}

// checkChecksum depends on the source: a download is never taken unchecked.
func checkChecksum(source string) func(string) error {
	return func(checksum string) error {
		_, listed := catalogue[source]
		switch {
		case checksum == "":
			return nil
		case checksum == fetch.Unchecked && (listed || fetch.IsURL(source)):
			return errors.New(`must be "sha256:<hex>" when it is downloaded`)
		}
		return fetch.CheckChecksum(checksum)
	}
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
