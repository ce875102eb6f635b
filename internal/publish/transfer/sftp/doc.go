// Package sftp uploads images to a directory of the front-end, over SSH.
//
// An image is uploaded next to its final name, as "<name>.part". A partial file left by an
// earlier run or a broken connection is continued if its SHA-256 matches that of the same
// length of the local file. The file gets its final name, in one step, only after its whole
// SHA-256 was compared.
//
// The host key must be known beforehand, as OpenSSH's own programs require with
// StrictHostKeyChecking=yes.
package sftp
