package catalog

import (
	"crypto/sha256"
	"encoding/hex"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/checksums"
)

// sums returns input for sha256sum -c that covers the images of the list and the list
// itself. The digests of images are taken from their manifests; the images are not read
// again.
func (l list) sums(content []byte) []byte {
	own := sha256.Sum256(content)
	digests := map[string]string{listFile: hex.EncodeToString(own[:])}
	for _, e := range l.entries {
		if e.own != nil && e.own.image() != "" {
			digests[imagesDir+"/"+e.own.image()] = e.own.Files[0].SHA256
		}
	}
	return checksums.Format(digests)
}

// newest is when the newest image of the list was created, in seconds since 1970. Used as
// the signing time, it gives the same list the same signature.
func (l list) newest() int64 {
	var at int64
	for _, e := range l.entries {
		if e.own != nil {
			at = max(at, e.own.CreationTime)
		}
	}
	return at
}
