package report

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/goldentest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/status"
)

// ready is the report of a machine whose certificate has the given source.
func ready(source string) Report {
	return Report{
		Status: status.Status{
			Stage: appliance.BootstrapSuccess, Host: "copilot.example.org",
			Image: &status.Image{Appliance: "1.0.0", LocalAI: "v4.9.0", Model: "Devstral Small 2 24B", Quantization: "Q4_K_M"},
			Model: "devstral-small-2", ContextSize: 32768, Threads: 16,
			Keys: []string{"alice", "ci"},
			Certificate: &status.Certificate{
				Subject: "CN=copilot.example.org", Issuer: "CN=root", Fingerprint: "CC:DD", Source: source,
				NotAfter: time.Date(2027, 12, 24, 0, 0, 0, 0, time.UTC),
			},
		},
		Password: "the-password", RootFingerprint: "AA:BB",
	}
}

func TestRender(t *testing.T) {
	reports := map[string]Report{
		"testdata/ready.txt": ready(status.SourceOwn),
		"testdata/acme.txt":  ready(status.SourceACME),
		"testdata/failed.txt": {
			Status: status.Status{
				Stage: appliance.ConfigureFailure, Host: "2001:db8::7", Model: "m", ContextSize: 512,
				LastError: "one is wrong\nand so\nis two", Mistakes: []string{"one is wrong"}, Warnings: []string{"it is\nslow", "very slow"},
			},
			Password: `it's-"$ecret\{env:HOME}`,
		},
		"testdata/never.txt": {Status: status.Status{Stage: appliance.ConfigureFailure, Mistakes: []string{"one is wrong"}}, Password: "the-password"},
	}
	for golden, report := range reports {
		got := report.Render()
		goldentest.Equal(t, golden, got)
	}
}

// If the certificate is publicly trusted, the report must not ask to trust another one.
func TestTrustIsRequestedOnlyWhereNeeded(t *testing.T) {
	const trust = `ca\.pem|CA_CERTS|CERT_FILE|--cacert|root_sha256|AA:BB`
	for _, source := range []string{"", status.SourceOwn} {
		assert.Regexp(t, trust, string(ready(source).Render()))
	}
	for _, source := range []string{status.SourceACME, status.SourceOperator} {
		text := string(ready(source).Render())
		assert.NotRegexp(t, trust, text)
		assert.Contains(t, text, "[Certificate]\nsource = "+source+"\n")
	}
}
