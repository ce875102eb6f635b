package builder

import (
	"maps"
	"slices"
)

// listedImage is a cloud image known by name. Its checksum is read from the list its
// publisher keeps beside it.
type listedImage struct {
	url  string
	sums string
}

// Addresses of the publishers' stable cloud images for amd64, as of their download
// pages (cloud-images.ubuntu.com, cloud.debian.org). Debian's "generic" image is the
// one with drivers for every hypervisor and cloud-init for every data source.
const (
	ubuntu = "https://cloud-images.ubuntu.com/releases/"
	debian = "https://cloud.debian.org/images/cloud/"
)

var catalogue = map[string]listedImage{
	"ubuntu-24.04": {
		url:  ubuntu + "24.04/release/ubuntu-24.04-server-cloudimg-amd64.img",
		sums: ubuntu + "24.04/release/SHA256SUMS",
	},
	"ubuntu-22.04": {
		url:  ubuntu + "22.04/release/ubuntu-22.04-server-cloudimg-amd64.img",
		sums: ubuntu + "22.04/release/SHA256SUMS",
	},
	"debian-12": {
		url:  debian + "bookworm/latest/debian-12-generic-amd64.qcow2",
		sums: debian + "bookworm/latest/SHA512SUMS",
	},
	"debian-13": {
		url:  debian + "trixie/latest/debian-13-generic-amd64.qcow2",
		sums: debian + "trixie/latest/SHA512SUMS",
	},
}

func catalogueNames() []string {
	return slices.Sorted(maps.Keys(catalogue))
}

// download is what QEMU's builder is to fetch: an address, and a checksum in its
// notation, where "file:" names a list.
func (c *Config) download() (url, checksum string) {
	listed, found := catalogue[c.BaseImage]
	if !found {
		return c.BaseImage, c.BaseImageChecksum
	}
	if c.BaseImageChecksum != "" {
		return listed.url, c.BaseImageChecksum
	}
	return listed.url, "file:" + listed.sums
}
