package payloads

import (
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var (
	a256, b256 = strings.Repeat("a", 64), strings.Repeat("b", 64)
	a512       = strings.Repeat("a", 128)
)

func TestLookUp(t *testing.T) {
	for name, test := range map[string]struct {
		list string
		want told
	}{
		"text":                   {b256 + "  other\n" + a256 + "  file\n", told{sha256: a256}},
		"binary":                 {a256 + " *file\n", told{sha256: a256}},
		"below this directory":   {a256 + "  ./file", told{sha256: a256}},
		"upper case":             {strings.ToUpper(a256) + "  file", told{sha256: a256}},
		"SHA-512":                {a512 + "  file\n", told{sha512: a512}},
		"another name":           {a256 + "  file.sig\n" + a256 + "  my-file\n", told{}},
		"the same twice":         {a256 + "  file\n" + a256 + " *file\n", told{sha256: a256}},
		"two digests":            {a256 + "  file\n" + b256 + "  file\n", told{}},
		"no digest":              {"deadbeef  file\n" + strings.Repeat("g", 64) + "  file\n", told{}},
		"a web page":             {"<html><body>file</body></html>", told{}},
		"armour around the list": {"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n" + a256 + "  file\n", told{sha256: a256}},
		"nothing":                {"", told{}},
	} {
		t.Run(name, func(t *testing.T) { assert.Equal(t, test.want, lookUp(test.list, "file")) })
	}
}

func FuzzLookUp(f *testing.F) {
	f.Add(a256+"  file\n"+a512+" *file", "file")
	f.Fuzz(func(t *testing.T, list, file string) {
		found := lookUp(list, file)
		for _, digits := range []string{found.sha256, found.sha512} {
			assert.Contains(t, strings.ToLower(list), digits)
			assert.Empty(t, strings.Trim(digits, "0123456789abcdef"))
		}
		assert.Contains(t, []int{0, 64, 128}, len(found.sha256)+len(found.sha512))
	})
}

func TestATokenLeavesOverTLSOnly(t *testing.T) {
	for address, may := range map[string]bool{
		"https://example.org/x":      true,
		"http://127.0.0.1:80/x":      true,
		"http://localhost/x":         true,
		"http://[::1]:1/x":           true,
		"http://example.org/x":       false,
		"http://localhost.evil.org/": false,
		"http://127.0.0.1.evil.org/": false,
	} {
		u, err := url.Parse(address)
		require.NoError(t, err)
		assert.Equal(t, may, mayCarryToken(u) == nil, address)
	}
}
