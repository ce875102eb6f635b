package digest

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"strings"
)

// SHA256Prefix is the prefix of a written digest, "sha256:<64 hexadecimal digits>".
const SHA256Prefix = "sha256:"

// ParseSHA256 returns the digits of a written digest in lower case, and whether text is one.
func ParseSHA256(text string) (digits string, ok bool) {
	digits, found := strings.CutPrefix(text, SHA256Prefix)
	if !found || !IsSHA256(digits) {
		return "", false
	}
	return strings.ToLower(digits), true
}

// IsSHA256 reports whether text is a SHA-256 in hexadecimal.
func IsSHA256(text string) bool { return isHex(text, sha256.Size) }

// IsSHA512 reports whether text is a SHA-512 in hexadecimal.
func IsSHA512(text string) bool { return isHex(text, sha512.Size) }

func isHex(text string, size int) bool {
	raw, err := hex.DecodeString(text)
	return err == nil && len(raw) == size
}
