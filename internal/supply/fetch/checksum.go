package fetch

import (
	"encoding/hex"
	"errors"
	"strings"
)

// Unchecked is the checksum that says, in so many words, that a local file is taken as
// it is.
const Unchecked = "none"

// sha256Prefix starts every other checksum. It is the only algorithm: every publisher
// of our payloads (LocalAI's release, Hugging Face) states it.
const sha256Prefix = "sha256:"

// CheckChecksum says why checksum is neither "sha256:<64 hex digits>" nor Unchecked.
func CheckChecksum(checksum string) error {
	if checksum == Unchecked {
		return nil
	}
	digits, found := strings.CutPrefix(checksum, sha256Prefix)
	raw, err := hex.DecodeString(digits)
	if !found || err != nil || len(raw) != 32 {
		return errors.New(`must be "sha256:" and 64 hexadecimal digits`)
	}
	return nil
}

// IsURL tells a download from a local path.
func IsURL(source string) bool {
	return strings.HasPrefix(source, "http://") || strings.HasPrefix(source, "https://")
}
