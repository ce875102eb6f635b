// Package qemuvm runs one guest under QEMU, with the devices OpenNebula gives a VM: a
// virtio disk, a CONTEXT CD-ROM, one network card, a serial console written to a file.
// It serves the trial of a finished image and the demo; images are built elsewhere.
//
// No guest outlives its owner: QEMU ends with the context given to Start, with Kill, and
// (Linux only) with the thread that started it, should our process be killed.
package qemuvm
