package fetch

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestCheckChecksum(t *testing.T) {
	good := checksum(content)
	for _, text := range []string{good, strings.ToUpper(good[:7]) + good[7:], "none", ""} {
		err := CheckChecksum(text)
		if text == good || text == "none" {
			assert.NoError(t, err, text)
			continue
		}
		assert.EqualError(t, err, `must be "sha256:" and 64 hexadecimal digits`, text)
	}
}

func FuzzCheckChecksum(f *testing.F) {
	f.Add("none")
	f.Add(checksum(""))
	f.Add("sha256:00")
	f.Fuzz(func(t *testing.T, text string) {
		if CheckChecksum(text) != nil || text == Unchecked {
			return
		}
		digest := Payload{Checksum: text}.digest()
		if len(digest) != 64 || strings.Trim(digest, "0123456789abcdef") != "" {
			t.Fatalf("%q passed, but its digest %q is not a safe file name", text, digest)
		}
	})
}
