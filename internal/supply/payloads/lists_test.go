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
