// Package catalog keeps a directory that is a whole OpenNebula marketplace: any web
// server can serve it, and an OpenNebula reads it with MARKET_MAD=one. No cloud and no
// credentials are needed to publish into it.
//
//	appliances.json                 the list, GET /appliance
//	SHA256SUMS                      digests of the list and of all images, GET /SHA256SUMS
//	SHA256SUMS.minisig              their signature, if a key is given
//	lists/<digest>/                 the three files above, which are links into lists/current
//	lists/current                   a symbolic link to one of them
//	appliance/<id>/app.json         one entry of the list, GET /appliance/<id>
//	appliance/<id>/download/0       a symbolic link to its image
//	images/slm-copilot-<version>-<id>.qcow2
//	nginx.conf                      a site that serves all this as the driver wants it
//
// Decisions, and why:
//
//   - An id is made of name, version, architecture and the image's digest, and the name of
//     an image holds a part of the id. So whatever is listed is never changed in place:
//     the old list stays true to the last byte until the new one replaces it, which is the
//     last thing that happens. An interrupted run leaves the old marketplace.
//   - List, digests and signature are one edition, and replaced by one rename of one link. At
//     any moment, and wherever a run was killed, sha256sum -c passes and the signature is good.
//   - Each version is an entry with its own name, "SLM-Copilot 1.0.0". OpenNebula tells apps
//     by their name alone; two versions under one name would overwrite each other at every
//     refresh. Adding a version keeps all others.
//   - The same version with another image (a rebuild) replaces its entry. A cloud that has it
//     already refreshes it in place, because version, digest or source differ; the old image
//     is removed after the list has changed.
//   - Old versions are removed only if asked for, only if this package wrote them, and only
//     after the list that no longer names them is in place.
//   - A system and its model on two disks are three entries, because OpenNebula imports one
//     image of an app. They come into the list, and leave it, together.
//   - The list is read strictly. What cannot be understood is refused, never overwritten.
package catalog
