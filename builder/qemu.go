package builder

import (
	"net/url"
	"path/filepath"
	"strings"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/qemuimg"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/vm/accelerator"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/vm/firmware"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/vm/qemuvm"
)

// machine is the configuration of packer-plugin-qemu's builder for this build, in that
// builder's own words.
func (b *build) machine(k key) (map[string]any, error) {
	base, err := b.baseURL()
	if err != nil {
		return nil, err
	}
	// Relative paths would be read from the directory of the overlay.
	serialLog, err := filepath.Abs(b.serialLog())
	if err != nil {
		return nil, err
	}
	c := b.config
	files, err := seed(instanceID(c), k.authorized, c.CloudInit)
	if err != nil {
		return nil, err
	}
	arguments, err := b.qemuArguments(serialLog)
	if err != nil {
		return nil, err
	}
	settings := map[string]any{
		"packer_build_name":   c.PackerBuildName,
		"packer_builder_type": c.PackerBuilderType,
		"packer_core_version": c.PackerCoreVersion,
		"packer_debug":        c.PackerDebug,
		"packer_on_error":     c.PackerOnError,

		// The disk is an overlay of the base image: nothing is copied that is thrown
		// away later, and compacting flattens it anyway.
		"iso_url":          base,
		"iso_checksum":     "none",
		"disk_image":       true,
		"use_backing_file": true,
		"format":           "qcow2",
		"disk_size":        c.DiskSize,
		"disk_interface":   "virtio",
		// A build that a power cut ends is made again, so nothing waits for the disk.
		"disk_cache": "unsafe",
		// What the guest trims or overwrites with zeros takes no room in the image.
		"disk_discard":       "unmap",
		"disk_detect_zeroes": "unmap",

		"qemu_binary":      qemuvm.Program(c.goArch()),
		"accelerator":      b.accelerator,
		"cpu_model":        accelerator.CPU(b.accelerator),
		"machine_type":     c.MachineType,
		"cpus":             c.CPUs,
		"memory":           c.Memory,
		"net_device":       "virtio-net",
		"headless":         true,
		"disable_vnc":      true,
		"vm_name":          c.imageFile(),
		"output_directory": b.machineDirectory(),
		"qemuargs":         arguments,

		"cd_label":   seedLabel,
		"cd_content": files,

		"communicator":    "ssh",
		"ssh_username":    "root",
		"ssh_private_key": k.private,
		"ssh_timeout":     timeout(c.SSHTimeout, defaultSSHTimeout, b.accelerator).String(),
		// Forwarding would lend the release engineer's own keys to the guest.
		"ssh_disable_agent_forwarding": true,

		"shutdown_command": "systemctl poweroff",
		"shutdown_timeout": timeout(c.ShutdownTimeout, defaultShutdownTimeout, b.accelerator).String(),
	}
	if c.Firmware == firmware.UEFI {
		found, err := firmware.Find(c.goArch())
		if err != nil {
			return nil, err
		}
		settings["efi_firmware_code"], settings["efi_firmware_vars"] = found.Code, found.Vars
	}
	return settings, nil
}

// qemuArguments replace defaults of that builder, switch by switch. It has drives of its
// own, whose names are not known before it runs, so "-drive" is not among them.
func (b *build) qemuArguments(serialLog string) ([][]string, error) {
	pidFile, err := filepath.Abs(b.pidFile())
	if err != nil {
		return nil, err
	}
	arguments := [][]string{
		{"-machine", b.config.machineOption()},
		{"-accel", accelerator.Option(b.accelerator)},
		// The default forwards the port on every address of this host.
		{"-netdev", "user,id=user.0,hostfwd=tcp:127.0.0.1:{{ .SSHHostPort }}-:22"},
		// The network card is added to this list by that builder.
		{"-device", "virtio-rng-pci"},
		// The default is a console without a password, open to every local user.
		{"-vnc", "none"},
		{"-display", "none"},
		{"-serial", "file:" + serialLog},
		{"-pidfile", pidFile},
	}
	attached, err := b.attachedDisk()
	return append(arguments, attached...), err
}

// machineOption is the value of -machine.
func (c *Config) machineOption() string {
	if c.Architecture == arm {
		// The newest interrupt controller is the only one that works on every host with KVM.
		return "type=" + c.MachineType + ",gic-version=max"
	}
	return "type=" + c.MachineType
}

// attachedDisk is the second disk of the machine. It has a place behind that of the first,
// from which the machine boots.
func (b *build) attachedDisk() ([][]string, error) {
	path, format, serial := b.weights.Path, "raw", ""
	switch {
	case b.config.Model == nil:
		return nil, nil
	case b.config.ModelDisk:
		path, format = b.modelImage(), qemuimg.Format
	default:
		serial = ",serial=" + appliance.AttachedSerial(b.weights.SHA256)
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	file := "file.driver=file,file.filename=" + strings.ReplaceAll(path, ",", ",,")
	return [][]string{
		{"-blockdev", "node-name=weights,read-only=on,driver=" + format + "," + file},
		{"-device", "virtio-blk-pci,drive=weights,addr=0x1e" + serial},
	}, nil
}

// baseURL is the base image as that builder wants it.
func (b *build) baseURL() (string, error) {
	// The downloader refuses symbolic links, so it never sees one.
	path, err := filepath.EvalSymlinks(b.base)
	if err == nil {
		path, err = filepath.Abs(path)
	}
	// As a URL, because a bare path with ? or # in it would be taken for one.
	return (&url.URL{Scheme: "file", Path: path}).String(), err
}

// instanceID makes cloud-init see a new machine whatever the base image has seen.
func instanceID(c *Config) string {
	return "slm-copilot-build-" + c.ImageName + "-" + c.ImageVersion
}
