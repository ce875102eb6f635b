// Package modeldisk makes the disk that holds the weights of a model and nothing else: an
// ext4 file system in a QCOW2 image, the same bytes for the same weights. A machine finds it
// by its label.
//
// It is made with e2fsprogs, which needs neither root nor a loop device.
package modeldisk
