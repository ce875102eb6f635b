package fetch

import (
	"errors"
	"strings"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/digest"
)

// Unchecked is the checksum that says, in so many words, that a local file is taken as
// it is.
const Unchecked = "none"

// CheckChecksum says why checksum is neither "sha256:<64 hex digits>" nor Unchecked. There
// is no other algorithm: every publisher of our payloads (LocalAI's release, Hugging Face)
// states this one.
func CheckChecksum(checksum string) error {
	if checksum == Unchecked {
		return nil
	}
	if _, ok := digest.ParseSHA256(checksum); !ok {
		return errors.New(`must be "sha256:" and 64 hexadecimal digits`)
	}
	return nil
}

// IsURL tells a download from a local path.
func IsURL(source string) bool {
	return strings.HasPrefix(source, "http://") || strings.HasPrefix(source, "https://")
}
