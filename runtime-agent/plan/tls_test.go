package plan

import (
	"crypto/x509"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/pair"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/status"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/tlsca"
)

const domain = "copilot.example.org"

var now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// offer is a pair with just what a choice looks at.
func offer(text, name string, until time.Time) pair.Pair {
	return pair.Pair{Text: []byte(text), Leaf: &x509.Certificate{
		DNSNames: []string{name}, NotBefore: now.AddDate(-1, 0, 0), NotAfter: until,
	}}
}

func TestChoose(t *testing.T) {
	good, expired, other := offer("good", domain, now.AddDate(0, 1, 0)), offer("expired", domain, now.AddDate(0, -1, 0)), offer("other", "other.example.org", now.AddDate(0, 1, 0))
	taken := offer("taken", domain, now.AddDate(0, 0, 1))
	tests := map[string]struct {
		operator *pair.Pair
		acme     []pair.Pair
		at       time.Time
		source   string
		served   string
		warning  string
	}{
		"nothing offered":           {nil, nil, now, status.SourceOwn, "own", ""},
		"the operator's":            {&good, nil, now, status.SourceOperator, "good", ""},
		"the operator's goes first": {&good, []pair.Pair{taken}, now, status.SourceOperator, "good", ""},
		"the operator's, expired":   {&expired, nil, now, status.SourceOwn, "own", "expired on 2026-10-22"},
		"expired, no clock":         {&expired, nil, time.Time{}, status.SourceOperator, "expired", "the clock is not set"},
		"another name, no clock":    {&other, nil, time.Time{}, status.SourceOwn, "own", "not for " + domain},
		"ACME's":                    {nil, []pair.Pair{good, taken}, now, status.SourceACME, "good", ""},
		"ACME's, the first damaged": {nil, []pair.Pair{expired, taken}, now, status.SourceACME, "taken", ""},
		"ACME's, none valid":        {nil, []pair.Pair{expired, other}, now, status.SourceOwn, "own", "the certificate from ACME is not used"},
		"ACME's, no clock":          {nil, []pair.Pair{good}, time.Time{}, status.SourceACME, "good", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			offers := Offers{Own: tlsca.Material{Leaf: []byte("own")}, Operator: tt.operator, ACME: tt.acme, Domain: domain, At: tt.at}
			got := offers.Choose()
			assert.Equal(t, tt.source, got.Source)
			assert.Equal(t, tt.served, string(got.Served))
			assert.Equal(t, offers.Own, got.Own)
			if tt.warning == "" {
				assert.Empty(t, got.Warnings)
				return
			}
			assert.Contains(t, strings.Join(got.Warnings, "\n"), tt.warning)
			for _, warning := range got.Warnings {
				assert.True(t, strings.HasPrefix(warning, CertificateWarning))
			}
		})
	}
}

// What differs from a machine that serves its own certificate; a reader of the links must
// find the file that is served already there.
func TestServedCertificates(t *testing.T) {
	const golden = "testdata/tls.txt"
	var got strings.Builder
	for _, source := range []string{status.SourceOwn, status.SourceACME, status.SourceOperator} {
		served := TLS{Own: tlsca.Material{Leaf: []byte("own\n")}, Source: source, Served: []byte("served\n")}
		got.WriteString("[" + source + "]\n")
		got.WriteString(describe(Plan{Proxy: proxyCertificates(served), Rest: restCertificates(served, []byte("a CA\n"))}))
	}
	if *update {
		require.NoError(t, os.WriteFile(golden, []byte(got.String()), 0o644))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	assert.Equal(t, string(want), got.String())
}

func TestTheLinksAreReplacedInOneStep(t *testing.T) {
	for _, source := range []string{status.SourceOwn, status.SourceACME, status.SourceOperator} {
		entries := proxyCertificates(TLS{Source: source})
		assert.Equal(t, "server.pem", entries[len(entries)-1].LinkTo, "the key follows the certificate")
		assert.Equal(t, appliance.ServerCert, entries[len(entries)-2].Path)
	}
}
