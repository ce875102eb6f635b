package builder

import (
	"maps"
	"path"
	"slices"
	"strings"
)

// listedImage is a cloud image that base_image can refer to by name.
type listedImage struct {
	// address contains "$arch" where the architecture belongs; every publisher uses Go's
	// names.
	address string
	// sums is the name of the checksum list in the same directory.
	sums string
}

// Addresses of the publishers' stable cloud images, as of their download pages
// (cloud-images.ubuntu.com, cloud.debian.org). Debian's "generic" image is the one with
// drivers for every hypervisor and cloud-init for every data source.
const (
	ubuntu = "https://cloud-images.ubuntu.com/releases/"
	debian = "https://cloud.debian.org/images/cloud/"
)

var catalogue = map[string]listedImage{
	"ubuntu-26.04": {ubuntu + "26.04/release/ubuntu-26.04-server-cloudimg-$arch.img", "SHA256SUMS"},
	"ubuntu-24.04": {ubuntu + "24.04/release/ubuntu-24.04-server-cloudimg-$arch.img", "SHA256SUMS"},
	"ubuntu-22.04": {ubuntu + "22.04/release/ubuntu-22.04-server-cloudimg-$arch.img", "SHA256SUMS"},
	"debian-12":    {debian + "bookworm/latest/debian-12-generic-$arch.qcow2", "SHA512SUMS"},
	"debian-13":    {debian + "trixie/latest/debian-13-generic-$arch.qcow2", "SHA512SUMS"},
}

func catalogueNames() []string {
	return slices.Sorted(maps.Keys(catalogue))
}

// url returns the address of the image for a Go architecture.
func (l listedImage) url(arch string) string {
	return strings.ReplaceAll(l.address, "$arch", arch)
}

// list returns the address of the checksum list in the directory of image. That directory
// may differ from the catalogue's: a lock file may point to a dated release.
func (l listedImage) list(image string) string {
	return strings.TrimSuffix(image, path.Base(image)) + l.sums
}
