package marketplace

import (
	"errors"
	"fmt"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/manifest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/digest"
)

// checkDigests compares the digests of an image with its manifest. OpenNebula reports a
// wrong digest only as an ERROR state without a reason, so it must be found here.
func checkDigests(image string, m manifest.Manifest, is digest.Digests) error {
	var mistakes []error
	for _, field := range []struct {
		name      string
		want, got any
	}{
		{"file_size", m.FileSize, is.Size},
		{"md5", m.MD5, is.MD5},
		{"sha1", m.SHA1, is.SHA1},
		{"sha256", m.SHA256, is.SHA256},
	} {
		if field.got != field.want {
			mistakes = append(mistakes, fmt.Errorf("%s: the manifest says %v, the file has %v", field.name, field.want, field.got))
		}
	}
	if len(mistakes) == 0 {
		return nil
	}
	return fmt.Errorf("the image %s is not the one its manifest describes; build it again: %w", image, errors.Join(mistakes...))
}
