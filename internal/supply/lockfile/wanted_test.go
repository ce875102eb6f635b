package lockfile

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPin(t *testing.T) {
	one, two := "sha256:"+strings.Repeat("1a", 32), "sha256:"+strings.Repeat("2b", 32)
	const (
		url     = "https://example.org/a"
		secret  = "https://me:hush@example.org/a?token=hush"
		image   = "oci://example.org/a"
		nothing = "a: https://example.org/a is not pinned: run `make lock`, set the checksum, or set allow_unpinned = true"
	)
	for name, test := range map[string]struct {
		source, locked, checksum string
		unpinned                 bool
		digest                   string
		size                     int64
		err                      string
	}{
		"by nobody":                      {url, "", "", false, "", 0, nothing},
		"by nobody, of a secret address": {secret, "", "", false, "", 0, nothing},
		"by nobody, allowed":             {url, "", "", true, "", 7, ""},
		"by the lock":                    {url, one, "", false, one, 7, ""},
		"by the template":                {url, "", two, false, two, 0, ""},
		"by both":                        {url, one, one, false, one, 7, ""},
		"by both, in capitals":           {url, one, strings.ToUpper(one), false, one, 7, ""},
		"contradiction":                  {url, one, two, false, "", 0, "a.checksum: " + two + " contradicts the.lock, which has " + one + " for https://example.org/a: correct one of them"},
		"contradiction, allowed":         {url, one, two, true, "", 0, "contradicts"},
		"a path as it is":                {"a", "", "none", false, "none", 0, ""},
		"a path as it is, in the lock":   {"a", one, "none", false, "none", 0, ""},
		"in the reference":               {image + "@" + one, "", "", false, one, 0, ""},
		"in the reference and the lock":  {image + "@" + one, one, "", false, one, 7, ""},
		"in the reference, other lock":   {image + "@" + one, two, "", false, "", 0, "contradicts the.lock"},
		"in the reference, said again":   {image + "@" + one, "", one, false, one, 0, ""},
		"in the reference, other":        {image + "@" + one, "", two, false, "", 0, "a.checksum: " + two + " differs from the digest in a.source: remove one of them"},
		"a tag":                          {image + ":1", "", "", false, "", 0, "a: oci://example.org/a:1 is not pinned"},
		"an at sign of a path":           {"a@b", "", "", true, "", 7, ""},
	} {
		t.Run(name, func(t *testing.T) {
			wanted := Wanted{Field: "a", ChecksumField: "a.checksum", Checksum: test.checksum, Lock: "the.lock", AllowUnpinned: test.unpinned}
			got, err := wanted.Pin(Input{Source: test.source, Digest: test.locked, Size: 7})
			if test.err != "" {
				require.ErrorContains(t, err, test.err)
				assert.NotContains(t, err.Error(), "hush")
				return
			}
			require.NoError(t, err)
			assert.Equal(t, Input{Source: test.source, Digest: test.digest, Size: test.size}, got)
		})
	}
}
