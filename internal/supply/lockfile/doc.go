// Package lockfile reads and writes the lock file that pins what an appliance is made of: one
// HCL block per input, with its source and the digest it must have. The file is meant to be
// committed, so it never contains a credential.
package lockfile
