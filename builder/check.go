package builder

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/fieldcheck"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/fetch"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/vm/accelerator"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/vm/firmware"
)

var (
	diskSizePattern    = regexp.MustCompile(`^([1-9][0-9]{0,5})([MGT])$`)
	machineTypePattern = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`)
)

// check looks only at the values and the lock file, because a template must validate on
// machines without QEMU and without the base image.
func (c *Config) check() *fieldcheck.Fields {
	fields := new(fieldcheck.Fields)
	fields.Check("lock_file", c.LockFile, c.readLock)
	c.checkSources(fields)
	c.checkMachine(fields)
	const nameForm = "up to 64 letters, digits and . _ + ~ -, a letter or digit first"
	fields.Check("image_name", c.ImageName, fieldcheck.Matches(appliance.VersionPattern, nameForm))
	fields.Check("image_version", c.ImageVersion, fieldcheck.Matches(appliance.VersionPattern, nameForm))
	fields.Check("output_directory", c.OutputDirectory, checkOutputDirectory)
	fields.CheckOptional("ssh_timeout", c.SSHTimeout, fieldcheck.Duration)
	fields.CheckOptional("shutdown_timeout", c.ShutdownTimeout, fieldcheck.Duration)
	c.checkPins(fields)
	return fields
}

func (c *Config) checkSources(fields *fieldcheck.Fields) {
	fields.Check("base_image", c.BaseImage, checkBaseImage)
	fields.CheckOptional("base_image_checksum", c.BaseImageChecksum, checkChecksum(c.BaseImage))
	fields.Expect(!c.ModelDisk || c.Model != nil, "model_disk", "needs the block model")
	fields.Expect(c.ModelDisk || len(c.OtherModels) == 0, fieldOtherModel, "is for model_disk = true: without it the provisioner uploads these models")
	for _, m := range c.models() {
		// The source can be left out: the lock file may name it.
		fields.CheckOptional(m.field+".source", m.Source, fieldcheck.PathOrURL)
		fields.CheckOptional(m.field+".checksum", m.Checksum, checkChecksum(m.Source))
	}
	c.checkIDs(fields)
}

// checkIDs completes the ids from the lock file. Those of other models are names of files beside the
// default model's.
func (c *Config) checkIDs(fields *fieldcheck.Fields) {
	var names, ids []string
	for _, m := range c.models() {
		locked, _ := c.lock.FindModel(c.goArch(), m.Source, m.ID)
		m.ID = cmp.Or(m.ID, locked.Name)
		name := m.field + ".id"
		names, ids = append(names, name), append(ids, m.ID)
		if m.field == fieldModel {
			continue
		}
		// The lock file may still tell the id of a source that is not known yet.
		if m.ID != "" || m.Source != "" && fields.Settled("lock_file", m.field+".source") {
			fields.Check(name, m.ID, appliance.CheckModelID)
		}
		fields.Expect(appliance.OtherModelFile(m.ID) != appliance.ModelFile, name, "must not be %q: the model of the block model has this file name", m.ID)
	}
	fields.Distinct(names, ids)
}

func (c *Config) checkMachine(fields *fieldcheck.Fields) {
	fields.Check("architecture", c.Architecture, fieldcheck.OneOf(x86, arm))
	fields.Check("firmware", c.Firmware, fieldcheck.OneOf(firmware.BIOS, firmware.UEFI))
	fields.Expect(c.Architecture != arm || c.Firmware != firmware.BIOS, "firmware", "aarch64 has no BIOS; leave firmware out")
	fields.Check("cloud_init", c.CloudInit, checkCloudInit)
	fields.Check("disk_size", c.DiskSize, fieldcheck.Matches(diskSizePattern, `a number followed by M, G or T such as "40G"`))
	fields.Between("cpus", c.CPUs, 1, 1024)
	if c.Memory != 0 {
		fields.Between("memory", c.Memory, appliance.MinMemory, 16<<20)
	}
	fields.Check("accelerator", c.Accelerator, fieldcheck.OneOf(accelerator.Auto, accelerator.KVM, accelerator.TCG))
	fields.Check("machine_type", c.MachineType, fieldcheck.Matches(machineTypePattern, `a machine type of QEMU such as "pc"`))
}

// checkPins skips inputs whose values are wrong or not known yet.
func (c *Config) checkPins(fields *fieldcheck.Fields) {
	if !fields.Settled("lock_file", "architecture") {
		return
	}
	if fields.Settled("base_image", "base_image_checksum") {
		_, err := c.pinBase()
		fields.Add(err)
	}
	for _, m := range c.models() {
		if fields.Settled(m.field+".source", m.field+".checksum") && !fieldcheck.IsUnknown(m.ID) {
			_, err := c.pinModel(m)
			fields.Add(err)
		}
	}
}

func checkBaseImage(image string) error {
	if image == "" {
		return fmt.Errorf("must be set to a path, an http(s) URL or one of %s", strings.Join(catalogueNames(), ", "))
	}
	return fieldcheck.PathOrURL(image)
}

// checkChecksum depends on the source: "none" is not allowed for a download.
func checkChecksum(source string) func(string) error {
	return func(checksum string) error {
		_, listed := catalogue[source]
		if checksum == fetch.Unchecked && (listed || fetch.IsURL(source)) {
			return errors.New(`must be "sha256:<hex>" when it is downloaded`)
		}
		return fetch.CheckChecksum(checksum)
	}
}

// checkOutputDirectory rejects paths that would break a QEMU option.
func checkOutputDirectory(directory string) error {
	if strings.ContainsAny(directory, ",\n\r") {
		return fmt.Errorf("must hold no comma or line break, got %q", directory)
	}
	if base := filepath.Base(directory); base == "." || base == ".." || base == "/" {
		return fmt.Errorf("must name a directory of its own, got %q", directory)
	}
	return nil
}

// diskBytes returns DiskSize in bytes, 0 if it is malformed.
func (c *Config) diskBytes() int64 {
	parts := diskSizePattern.FindStringSubmatch(c.DiskSize)
	if parts == nil {
		return 0
	}
	number, _ := strconv.ParseInt(parts[1], 10, 64)
	return number << map[string]int{"M": 20, "G": 30, "T": 40}[parts[2]]
}
