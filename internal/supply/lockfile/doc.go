// Package lockfile reads and writes the file that pins what an appliance is made of: one
// HCL block for each input, with where it comes from and the digest it must have. The file
// is meant to be committed, so it never holds a credential.
package lockfile
