package fetch

import (
	"errors"
	"strings"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/digest"
)

// Unchecked is the checksum that explicitly accepts a local file unverified.
const Unchecked = "none"

// CheckChecksum returns an error if checksum is neither "sha256:<64 hex digits>" nor
// Unchecked. No other algorithm is needed: every publisher of our payloads (LocalAI's
// releases, Hugging Face) states SHA-256.
func CheckChecksum(checksum string) error {
	if checksum == Unchecked {
		return nil
	}
	if _, ok := digest.ParseSHA256(checksum); !ok {
		return errors.New(`must be "sha256:" and 64 hexadecimal digits`)
	}
	return nil
}

// IsURL reports whether source is a download and not a local path.
func IsURL(source string) bool {
	return strings.HasPrefix(source, "http://") || strings.HasPrefix(source, "https://")
}
