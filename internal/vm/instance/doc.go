// Package instance boots a finished image the way OpenNebula does when a user
// instantiates it: the image itself stays untouched below an overlay, and the user's
// choices arrive on a CONTEXT CD-ROM. The instance can be awaited, powered off, booted
// again and thrown away.
package instance
