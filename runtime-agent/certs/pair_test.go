package certs

import (
	"bytes"
	"encoding/pem"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// made is a server certificate that was signed by a root, in blocks.
func made(t *testing.T) (leaf, root, key []byte) {
	t.Helper()
	material, err := Renew(Material{}, Request{Names: []string{"copilot.example.org"}, Now: now})
	require.NoError(t, err)
	first, rest := pem.Decode(material.Leaf)
	return pem.EncodeToMemory(first), material.RootCert, rest
}

func TestParse(t *testing.T) {
	leaf, root, key := made(t)
	_, _, otherKey := made(t)
	broken := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")})
	join := func(blocks ...[]byte) []byte { return bytes.Join(blocks, nil) }
	tests := map[string]struct {
		chain, key []byte
		want       string
	}{
		"a chain":                 {join(leaf, root), key, ""},
		"no chain":                {leaf, key, ""},
		"no new line between":     {bytes.TrimRight(leaf, "\n"), key, ""},
		"the key of another":      {leaf, otherKey, "does not match"},
		"the wrong order":         {join(root, leaf), key, "the first certificate and the key"},
		"a certificate is broken": {broken, key, "the first certificate"},
		"the chain is broken":     {join(leaf, broken), key, "certificate 2 of the chain"},
		"no key":                  {leaf, leaf, "key"},
		"nothing":                 {nil, nil, "certificate"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := Parse(tt.chain, tt.key)
			if tt.want != "" {
				require.ErrorContains(t, err, tt.want)
				return
			}
			require.NoError(t, err)
			again, err := ParseText(got.Text)
			require.NoError(t, err)
			assert.Equal(t, got, again)
			assert.Equal(t, []string{"copilot.example.org", "localhost"}, got.Leaf.DNSNames)
		})
	}
}

func TestRefusal(t *testing.T) {
	leaf, _, key := made(t)
	p, err := Parse(leaf, key)
	require.NoError(t, err)
	for name, tt := range map[string]struct {
		domain string
		at     time.Time
		want   []string
	}{
		"good":                  {domain, now, nil},
		"no domain":             {"", now, nil},
		"another domain":        {"other.example.org", now, []string{"not for other.example.org"}},
		"not yet":               {domain, now.AddDate(0, 0, -1), []string{"not valid before 2026-11-22T11:00:00Z"}},
		"expired":               {domain, now.AddDate(2, 0, 0), []string{"expired on 2027-12-24T11:00:00Z"}},
		"expired and another":   {"other.example.org", now.AddDate(2, 0, 0), []string{"not for", "expired on"}},
		"no clock":              {domain, time.Time{}, nil},
		"no clock, and another": {"other.example.org", time.Time{}, []string{"not for"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := p.Refusal(tt.domain, tt.at)
			if tt.want == nil {
				assert.NoError(t, got)
			}
			for _, want := range tt.want {
				assert.ErrorContains(t, got, want)
			}
		})
	}
}

// The operator's certificate is untrusted input.
func FuzzParse(f *testing.F) {
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), []byte("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"))
	material, err := Renew(Material{}, Request{Names: []string{"vm-7"}, Now: now})
	require.NoError(f, err)
	first, key := pem.Decode(material.Leaf)
	f.Add(pem.EncodeToMemory(first), key)
	f.Fuzz(func(t *testing.T, chain, key []byte) {
		if p, err := Parse(chain, key); err == nil {
			again, err := ParseText(p.Text)
			assert.NoError(t, err)
			assert.True(t, again.Leaf.Equal(p.Leaf))
		}
	})
}
