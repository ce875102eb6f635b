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

// machine returns the configuration of the builder of packer-plugin-qemu, with the names of
// its own settings.
func (b *build) machine(k key) (map[string]any, error) {
	base, err := b.baseURL()
	if err != nil {
		return nil, err
	}
	// QEMU would resolve a relative path from the directory of the overlay.
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

		// The disk is an overlay of the base image: this saves a copy, and compacting
		// flattens it anyway.
		"iso_url":          base,
		"iso_checksum":     "none",
		"disk_image":       true,
		"use_backing_file": true,
		"format":           "qcow2",
		"disk_size":        c.DiskSize,
		"disk_interface":   "virtio",
		// After a power cut the build starts over, so there is no need to wait for the
		// disk.
		"disk_cache": "unsafe",
		// Blocks that the guest trims or overwrites with zeros take no space in the image.
		"disk_discard":       "unmap",
		"disk_detect_zeroes": "unmap",

		"qemu_binary":      qemuvm.Program(c.goArch()),
		"accelerator":      b.accelerator,
		"cpu_model":        accelerator.CPU(b.accelerator),
		"machine_type":     c.MachineType,
		"cpus":             c.CPUs,
		"memory":           b.memoryMiB,
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
		// Agent forwarding would lend the release engineer's own keys to the guest.
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

// qemuArguments replaces that builder's defaults, one switch at a time. "-drive" is left to
// it, because the names of its drives are not known before it runs.
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
		// That builder appends the network card to this list.
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

// machineOption returns the value of QEMU's -machine option.
func (c *Config) machineOption() string {
	if c.Architecture == arm {
		// Only the newest interrupt controller works on every host with KVM.
		return "type=" + c.MachineType + ",gic-version=max"
	}
	return "type=" + c.MachineType
}

// attachedDisk returns the options for the second disk. Its PCI slot comes after that of
// the first disk, because the machine boots from the first.
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

// baseURL returns the base image as a file URL, which that builder expects.
func (b *build) baseURL() (string, error) {
	// Its downloader refuses symbolic links.
	path, err := filepath.EvalSymlinks(b.base)
	if err == nil {
		path, err = filepath.Abs(path)
	}
	// In a bare path, ? or # would be parsed as parts of a URL.
	return (&url.URL{Scheme: "file", Path: path}).String(), err
}

// instanceID makes cloud-init treat the machine as new, even if the base image has booted
// before.
func instanceID(c *Config) string {
	return "slm-copilot-build-" + c.ImageName + "-" + c.ImageVersion
}
