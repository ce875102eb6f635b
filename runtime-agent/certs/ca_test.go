package certs

import (
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func request() Request {
	return Request{
		Names:     []string{"copilot.example.org", "vm-7"},
		Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.7"), netip.MustParseAddr("2001:db8::7")},
		Now:       now,
	}
}

func renew(t *testing.T, old Material, r Request) Material {
	t.Helper()
	material, err := Renew(old, r)
	require.NoError(t, err)
	return material
}

func TestAClientThatTrustsTheRootAcceptsTheServer(t *testing.T) {
	material := renew(t, Material{}, request())
	leaf, err := ParseLeaf(material.Leaf)
	require.NoError(t, err)
	pool := x509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM(material.RootCert))
	for _, host := range []string{"copilot.example.org", "vm-7", "localhost", "127.0.0.1", "[::1]", "192.0.2.7", "[2001:db8::7]"} {
		for _, at := range []time.Time{now.Add(-30 * time.Minute), now.Add(396 * 24 * time.Hour)} {
			_, err := leaf.Verify(x509.VerifyOptions{Roots: pool, DNSName: host, CurrentTime: at})
			assert.NoError(t, err, "%s at %s", host, at)
		}
	}
	_, err = leaf.Verify(x509.VerifyOptions{Roots: pool, DNSName: "other.example.org", CurrentTime: now})
	assert.Error(t, err)
	assert.Equal(t, 2048, leaf.PublicKey.(*rsa.PublicKey).N.BitLen())
	assert.Equal(t, "copilot.example.org", leaf.Subject.CommonName)
	assert.Equal(t, 397*24*time.Hour, leaf.NotAfter.Sub(leaf.NotBefore), "browsers refuse 398 days and more")
}

// Most clients use OpenSSL, which is stricter than Go in places.
func TestOpenSSLAcceptsTheChain(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	require.NoError(t, err, "openssl is missing: run make setup")
	r := request()
	r.Now = time.Now()
	material := renew(t, Material{}, r)
	dir := t.TempDir()
	root, leaf := filepath.Join(dir, "root"), filepath.Join(dir, "leaf")
	require.NoError(t, os.WriteFile(root, material.RootCert, 0o600))
	require.NoError(t, os.WriteFile(leaf, material.Leaf, 0o600))
	out, err := exec.Command(openssl, "verify", "-x509_strict", "-purpose", "sslserver",
		"-verify_ip", "192.0.2.7", "-CAfile", root, leaf).CombinedOutput()
	assert.NoError(t, err, string(out))
}

func TestTheRootCanOnlySignServers(t *testing.T) {
	root, err := parseRoot(renew(t, Material{}, request()))
	require.NoError(t, err)
	assert.True(t, root.Leaf.IsCA)
	assert.True(t, root.Leaf.MaxPathLenZero)
	assert.Equal(t, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, root.Leaf.ExtKeyUsage)
	assert.Equal(t, "SLM-Copilot root of copilot.example.org", root.Leaf.Subject.CommonName)
}

// OpenSSL refuses to make a longer common name, and some clients refuse to read one. The
// alternative names are complete.
func TestALongNameIsTruncatedOnlyInTheSubject(t *testing.T) {
	r := request()
	r.Names = []string{strings.Repeat("a-label.", 12) + "example.org"}
	material := renew(t, Material{}, r)
	root, err := parseRoot(material)
	require.NoError(t, err)
	leaf, err := ParseLeaf(material.Leaf)
	require.NoError(t, err)
	assert.Equal(t, r.Names[0][:64], leaf.Subject.CommonName)
	assert.Len(t, root.Leaf.Subject.CommonName, 64)
	assert.Contains(t, leaf.DNSNames, r.Names[0])
}

func TestWhatIsRenewed(t *testing.T) {
	first := renew(t, Material{}, request())
	stranger := renew(t, Material{}, request())
	tests := map[string]struct {
		damage            func(*Material)
		change            func(*Request)
		sameRoot, newLeaf bool
	}{
		"nothing":                {nil, nil, true, false},
		"a boot":                 {nil, func(r *Request) { r.NewBoot = true }, true, true},
		"a name added":           {nil, func(r *Request) { r.Names = append(r.Names, "x.example.org") }, true, true},
		"a name gone":            {nil, func(r *Request) { r.Names = r.Names[1:] }, true, true},
		"an address added":       {nil, func(r *Request) { r.Addresses = append(r.Addresses, netip.MustParseAddr("192.0.2.8")) }, true, true},
		"addresses reordered":    {nil, func(r *Request) { r.Addresses = []netip.Addr{r.Addresses[1], r.Addresses[0]} }, true, false},
		"addresses twice":        {nil, func(r *Request) { r.Addresses = append(r.Addresses, r.Addresses...) }, true, false},
		"an address with a zone": {nil, func(r *Request) { r.Addresses[1] = r.Addresses[1].WithZone("eth0") }, true, false},
		"IPv4 written as IPv6":   {nil, func(r *Request) { r.Addresses[0] = netip.AddrFrom16(r.Addresses[0].As16()) }, true, false},
		"31 days left":           {nil, func(r *Request) { r.Now = now.Add(365 * 24 * time.Hour) }, true, false},
		"29 days left":           {nil, func(r *Request) { r.Now = now.Add(368 * 24 * time.Hour) }, true, true},
		"a clock not yet right":  {nil, func(r *Request) { r.Now, r.ClockUnsure = now.Add(-48*time.Hour), true }, true, true},
		"a root not yet valid":   {nil, func(r *Request) { r.Now = now.Add(-48 * time.Hour) }, false, true},
		"a clock far ahead":      {nil, func(r *Request) { r.Now = now.Add(20 * rootValidity) }, true, true},
		"the leaf is cut":        {func(m *Material) { m.Leaf = m.Leaf[:100] }, nil, true, true},
		"the leaf of another":    {func(m *Material) { m.Leaf = stranger.Leaf }, nil, true, true},
		"the root key is gone":   {func(m *Material) { m.RootKey = nil }, nil, false, true},
		"the root is cut":        {func(m *Material) { m.RootCert = m.RootCert[:100] }, nil, false, true},
		"the keys do not match":  {func(m *Material) { m.RootKey = stranger.RootKey }, nil, false, true},
		"the root is a leaf":     {func(m *Material) { m.RootCert, m.RootKey = m.Leaf, m.Leaf }, nil, false, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			old, r := first, request()
			if tt.damage != nil {
				tt.damage(&old)
			}
			if tt.change != nil {
				tt.change(&r)
			}
			got := renew(t, old, r)
			assert.Equal(t, tt.sameRoot, string(got.RootCert) == string(first.RootCert))
			assert.Equal(t, tt.newLeaf, string(got.Leaf) != string(old.Leaf))
			assert.Equal(t, tt.sameRoot, len(got.Warnings) == 0, "%q", got.Warnings)
			_, err := tls.X509KeyPair(got.Leaf, got.Leaf)
			assert.NoError(t, err)
		})
	}
}

// Whoever made the clock right again has a root that no client accepts before that day.
func TestARootMadeWhileTheClockWasAheadIsReplaced(t *testing.T) {
	ahead := request()
	ahead.Now = now.Add(365 * 24 * time.Hour)
	got := renew(t, renew(t, Material{}, ahead), request())
	root, err := parseRoot(got)
	require.NoError(t, err)
	assert.Equal(t, now.Add(-backdate), root.Leaf.NotBefore)
	require.Len(t, got.Warnings, 1)
	assert.Contains(t, got.Warnings[0], "it is not valid before 2027-11-22T11:00:00Z, so the clock was ahead when it was made): every client must be told to trust it")
	assert.Empty(t, renew(t, got, request()).Warnings, "it is said once")
}

func TestALostOrDamagedRootIsNotReplacedSilently(t *testing.T) {
	first := renew(t, Material{}, request())
	assert.Empty(t, first.Warnings, "nothing was lost at the first boot")
	binary := []byte("\x00\xff\x00\xff")
	for name, tt := range map[string]struct {
		damage   func(*Material)
		copy     []byte
		sameRoot bool
		warning  string
	}{
		"the certificate is lost":     {func(m *Material) { m.RootCert = nil }, first.RootCert, true, "was restored from the published copy"},
		"the certificate is half":     {func(m *Material) { m.RootCert = m.RootCert[:200] }, first.RootCert, true, "was restored from the published copy"},
		"the certificate is binary":   {func(m *Material) { m.RootCert = binary }, first.RootCert, true, "was restored from the published copy"},
		"its copy too":                {func(m *Material) { m.RootCert = binary }, binary, false, "a new one was made"},
		"the key is lost":             {func(m *Material) { m.RootKey = nil }, first.RootCert, false, "a new one was made"},
		"the key is empty":            {func(m *Material) { m.RootKey = []byte{} }, first.RootCert, false, "a new one was made"},
		"all is lost":                 {func(m *Material) { *m = Material{} }, nil, false, "a new one was made"},
		"the copy alone was replaced": {func(*Material) {}, binary, true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			old, r := first, request()
			tt.damage(&old)
			r.RootCopy, r.Expected = tt.copy, true
			got := renew(t, old, r)
			assert.Equal(t, tt.sameRoot, string(got.RootCert) == string(first.RootCert))
			if tt.warning == "" {
				assert.Empty(t, got.Warnings)
				return
			}
			require.Len(t, got.Warnings, 1)
			assert.Contains(t, got.Warnings[0], tt.warning)
			if tt.sameRoot {
				assert.Equal(t, first.Leaf, got.Leaf)
			}
		})
	}
}
