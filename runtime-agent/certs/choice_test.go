package certs

import (
	"crypto/x509"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/status"
)

const domain = "copilot.example.org"

// offer is a pair with only what the choice depends on.
func offer(text, name string, until time.Time) Pair {
	return Pair{Text: []byte(text), Leaf: &x509.Certificate{
		DNSNames: []string{name}, NotBefore: now.AddDate(-1, 0, 0), NotAfter: until,
	}}
}

func TestChoose(t *testing.T) {
	good, expired, other := offer("good", domain, now.AddDate(0, 1, 0)), offer("expired", domain, now.AddDate(0, -1, 0)), offer("other", "other.example.org", now.AddDate(0, 1, 0))
	taken := offer("taken", domain, now.AddDate(0, 0, 1))
	tests := map[string]struct {
		operator *Pair
		acme     []Pair
		at       time.Time
		source   string
		served   string
		warning  string
	}{
		"nothing offered":           {nil, nil, now, status.SourceOwn, "own", ""},
		"the operator's":            {&good, nil, now, status.SourceOperator, "good", ""},
		"the operator's goes first": {&good, []Pair{taken}, now, status.SourceOperator, "good", ""},
		"the operator's, expired":   {&expired, nil, now, status.SourceOwn, "own", "expired on 2026-10-22"},
		"expired, no clock":         {&expired, nil, time.Time{}, status.SourceOperator, "expired", "the clock is not set"},
		"another name, no clock":    {&other, nil, time.Time{}, status.SourceOwn, "own", "not for " + domain},
		"ACME's":                    {nil, []Pair{good, taken}, now, status.SourceACME, "good", ""},
		"ACME's, the first damaged": {nil, []Pair{expired, taken}, now, status.SourceACME, "taken", ""},
		"ACME's, none valid":        {nil, []Pair{expired, other}, now, status.SourceOwn, "own", "the certificate from ACME is not used"},
		"ACME's, no clock":          {nil, []Pair{good}, time.Time{}, status.SourceACME, "good", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			offers := Offers{Own: Material{Leaf: []byte("own")}, Operator: tt.operator, ACME: tt.acme, Domain: domain, At: tt.at}
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
				assert.True(t, strings.HasPrefix(warning, WarningPrefix))
			}
		})
	}
}

// Every client has something to do, and needs the time for it.
func TestTheEndOfTheRootIsSaidInTime(t *testing.T) {
	own := renew(t, Material{}, request())
	root, err := parseRoot(own)
	require.NoError(t, err)
	end := root.Leaf.NotAfter
	for name, tt := range map[string]struct {
		at   time.Time
		want string
	}{
		"91 days before":    {end.AddDate(0, 0, -91), ""},
		"89 days before":    {end.AddDate(0, 0, -89), "every client must trust a new root certificate before 2036-11-19, when this one expires. To make it, remove /etc/slm-copilot/tls/ca.key and run slm-copilot configure"},
		"afterwards":        {end.AddDate(0, 0, 1), "every client must trust a new root certificate, because this one expired on 2036-11-19. To make it, remove"},
		"without the clock": {time.Time{}, ""},
		"a clock behind":    {now.AddDate(0, -1, 0), "the root certificate is not valid before 2026-11-22T11:00:00Z: the clock of this machine is behind"},
	} {
		t.Run(name, func(t *testing.T) {
			got := Offers{Own: own, At: tt.at}.Choose()
			if tt.want == "" {
				assert.Empty(t, got.Warnings)
				return
			}
			require.Len(t, got.Warnings, 1)
			assert.Contains(t, got.Warnings[0], WarningPrefix+tt.want)
		})
	}
	operator := offer("good", domain, end.AddDate(1, 0, 0))
	assert.Empty(t, Offers{Own: own, Operator: &operator, Domain: domain, At: end}.Choose().Warnings, "no client uses the root")
}
