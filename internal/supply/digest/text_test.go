package digest

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestParseSHA256(t *testing.T) {
	digits := strings.Repeat("0a", 32)
	for text, want := range map[string]string{
		"sha256:" + digits:                   digits,
		"sha256:" + strings.ToUpper(digits):  digits,
		digits:                               "",
		"sha256:" + digits[1:]:               "",
		"sha256:" + digits + "00":            "",
		"sha256:" + strings.Repeat("0g", 32): "",
		"sha512:" + digits:                   "",
		"":                                   "",
	} {
		got, ok := ParseSHA256(text)
		assert.Equal(t, want, got, text)
		assert.Equal(t, want != "", ok, text)
	}
}

func TestDigitsOfADigest(t *testing.T) {
	assert.True(t, IsSHA256(strings.Repeat("f", 64)))
	assert.False(t, IsSHA256(strings.Repeat("f", 128)))
	assert.True(t, IsSHA512(strings.Repeat("f", 128)))
	assert.False(t, IsSHA512(strings.Repeat("f", 64)))
}
