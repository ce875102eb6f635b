// Package sftp brings images into a directory of the front-end, over SSH.
//
// An image is uploaded beside its place, as "<name>.part". What an earlier run or a broken
// connection left there is continued, if its SHA-256 is that of as much of the local file.
// Only a file whose whole SHA-256 was compared gets its name, in one step.
//
// The host key must be known beforehand, as OpenSSH's own programs demand it
// (StrictHostKeyChecking=yes).
package sftp
