// Package catalog maintains a directory that is a complete OpenNebula marketplace: any web
// server can serve it, and OpenNebula reads it with MARKET_MAD=one. Publishing into it
// needs no cloud and no credentials.
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
//   - An id is derived from name, version, architecture and the image's digest, and the name
//     of an image contains part of the id. So nothing that is listed changes in place: the old
//     list stays correct to the last byte until the new one replaces it, which is the last
//     step. An interrupted run leaves the old marketplace.
//   - List, digests and signature form one edition, replaced by renaming one link. At any
//     moment, and wherever a run was killed, sha256sum -c passes and the signature is good.
//   - Each version is an entry with its own name, "SLM-Copilot 1.0.0". OpenNebula identifies
//     apps by name alone; two versions under one name would overwrite each other at every
//     refresh. Adding a version keeps all others.
//   - The same version with another image (a rebuild) replaces its entry. A cloud that already
//     has it refreshes it in place, because version, digest or source differ; the old image
//     is removed after the list has changed.
//   - Old versions are removed only on request, only if this package wrote them, and only
//     after the list that no longer names them is in place.
//   - A system and its model on two disks are three entries, because OpenNebula imports only
//     one image per app. They enter and leave the list together.
//   - The list is parsed strictly. One that cannot be parsed is refused, never overwritten.
package catalog
