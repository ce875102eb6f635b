// Package cloud publishes an appliance as apps of a private marketplace, through the API of
// OpenNebula.
//
// No call of the API carries the bytes of an image. So they are brought to where the
// front-end can read them (package transfer), the front-end copies them into a datastore as
// an image, and the marketplace copies the image. What stays is the app; the transferred
// file and the image are deleted again, unless a VM template of the cloud uses the image.
//
// Decisions, and why:
//
//   - Every object carries the SHA-256 of its bytes, the version, the build and the run that
//     made it. What is to be done follows from comparing these with what is there, so a run
//     that was killed anywhere is taken up by the next one, and a run after success finds
//     nothing to do.
//   - A run takes a lease on the title first: a VM template with a name of its own, because
//     a name is the one thing oned gives to one of two callers only. The lease is refreshed while the
//     run lives. A second run sees that and says who it is; a lease that nobody refreshes is
//     that of a killed run, and is taken over.
//   - What a failed run leaves is bytes that were transferred, for the next run to go on
//     with; the objects it made are deleted, but for those that are LOCKED: deleting one
//     leaves its file in the datastore or in the marketplace with nothing that names it.
//   - An old version, or another build of the same one, goes only when the new one has been
//     read back and found right.
package cloud
