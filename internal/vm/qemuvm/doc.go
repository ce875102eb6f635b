// Package qemuvm runs one guest under QEMU, with the devices OpenNebula gives a VM: a virtio
// disk, a CONTEXT CD-ROM, one network card, a serial console written to a file. It serves the
// test of a finished image and the demo; images are built elsewhere.
//
// No guest outlives its owner: QEMU exits when the context passed to Start ends, on Kill, and
// (Linux only) when the thread that started it ends, for example because our process is
// killed.
package qemuvm
