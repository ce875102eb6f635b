// Package builder is the Packer source "slm-copilot": it boots a cloud image under
// QEMU, lets the provisioners work in it, and turns the disk into one compact QCOW2
// image with a manifest. QEMU itself is driven by the builder of packer-plugin-qemu,
// which this package configures and delegates to.
package builder
