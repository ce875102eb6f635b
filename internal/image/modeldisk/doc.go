// Package modeldisk creates a disk image that contains the weights of models and nothing
// else: an ext4 file system in a QCOW2 image. The same weights give the same bytes. A VM finds
// the disk by its label.
//
// It uses e2fsprogs, which need neither root nor a loop device.
package modeldisk
