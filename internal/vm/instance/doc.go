// Package instance boots a finished image the way OpenNebula does when a user instantiates it:
// the image itself is the untouched backing file of an overlay, and the user's choices arrive
// on a CONTEXT CD-ROM. The instance can be waited for, powered off, booted again and
// discarded.
package instance
