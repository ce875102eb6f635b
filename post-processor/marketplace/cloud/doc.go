// Package cloud publishes an appliance as apps in a private marketplace, through the
// OpenNebula API.
//
// The API has no call to upload an image. So the image is first transferred to where the
// front-end can read it (package transfer), the front-end copies it into a datastore, and
// the marketplace copies it from there. Only the app remains: the transferred file and the
// image in the datastore are deleted, unless a VM template of the cloud uses the image.
//
// Design decisions:
//
//   - Every object is labelled with the SHA-256 of its bytes, the version, the build and
//     the run that created it. Each run compares these labels with what it wants, so it
//     continues where a killed run stopped, and finds nothing to do after a successful
//     one.
//   - A run first takes a lease on the title: a VM template with a fixed name, because
//     unique names are the only thing that oned enforces among concurrent clients. The
//     lease is refreshed while the run is alive. A second run that sees it refreshed
//     reports its owner, waits for its end and finds what it has published; a lease that
//     is no longer refreshed belongs to a killed run, and is taken over.
//   - A failed run keeps the files it transferred, so that the next one can resume. It
//     deletes the objects it created, except those that are LOCKED: deleting one of
//     those would leave its file in the datastore or marketplace with no object that
//     refers to it.
//   - An old version, or another build of the same version, is deleted only after the
//     new one has been read back and verified.
package cloud
