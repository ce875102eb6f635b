package builder

import (
	"net/url"
	"path/filepath"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/accelerator"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/fetch"
)

// machine is the configuration of packer-plugin-qemu's builder for this build, in that
// builder's own words.
func (b *build) machine(k key) (map[string]any, error) {
	address, checksum, err := b.source()
	if err != nil {
		return nil, err
	}
	// Relative paths would be read from the directory of the overlay.
	serialLog, err := filepath.Abs(b.serialLog())
	if err != nil {
		return nil, err
	}
	c := b.config
	return map[string]any{
		"packer_build_name":   c.PackerBuildName,
		"packer_builder_type": c.PackerBuilderType,
		"packer_core_version": c.PackerCoreVersion,
		"packer_debug":        c.PackerDebug,
		"packer_on_error":     c.PackerOnError,

		// The disk is an overlay of the base image: nothing is copied that is thrown
		// away later, and compacting flattens it anyway.
		"iso_url":          address,
		"iso_checksum":     checksum,
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
		"qemuargs":         b.qemuArguments(serialLog),

		"cd_label":   seedLabel,
		"cd_content": seed(instanceID(c), k.authorized),

		"communicator":    "ssh",
		"ssh_username":    "root",
		"ssh_private_key": k.private,
		"ssh_timeout":     timeout(c.SSHTimeout, defaultSSHTimeout, b.accelerator).String(),
		// Forwarding would lend the release engineer's own keys to the guest.
		"ssh_disable_agent_forwarding": true,

		"shutdown_command": "systemctl poweroff",
		"shutdown_timeout": timeout(c.ShutdownTimeout, defaultShutdownTimeout, b.accelerator).String(),
	}, nil
}

// qemuArguments replace defaults of that builder, switch by switch.
func (b *build) qemuArguments(serialLog string) [][]string {
	return [][]string{
		{"-machine", "type=" + b.config.MachineType},
		{"-accel", accelerator.Option(b.accelerator)},
		// The default forwards the port on every address of this host.
		{"-netdev", "user,id=user.0,hostfwd=tcp:127.0.0.1:{{ .SSHHostPort }}-:22"},
		// The network card is added to this list by that builder.
		{"-device", "virtio-rng-pci"},
		// The default is a console without a password, open to every local user.
		{"-vnc", "none"},
		{"-display", "none"},
		{"-serial", "file:" + serialLog},
	}
}

// source is the base image as that builder wants it. A local file was checked before.
func (b *build) source() (address, checksum string, err error) {
	path, local := b.localBase()
	if !local {
		address, checksum = b.config.download()
		return address, checksum, nil
	}
	// The downloader refuses symbolic links, so it never sees one.
	path, err = filepath.EvalSymlinks(path)
	if err == nil {
		path, err = filepath.Abs(path)
	}
	// As a URL, because a bare path with ? or # in it would be taken for one.
	return (&url.URL{Scheme: "file", Path: path}).String(), fetch.Unchecked, err
}

// instanceID makes cloud-init see a new machine whatever the base image has seen.
func instanceID(c *Config) string {
	return "slm-copilot-build-" + c.ImageName + "-" + c.ImageVersion
}
