package report

import (
	"flag"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/status"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestRender(t *testing.T) {
	reports := map[string]Report{
		"testdata/ready.txt": {
			Status: status.Status{
				Stage: appliance.BootstrapSuccess, Host: "copilot.example.org", Model: "devstral-small-2", ContextSize: 32768,
				Certificate: &status.Certificate{Issuer: "CN=root", NotAfter: time.Date(2027, 12, 24, 0, 0, 0, 0, time.UTC)},
			},
			Password: "the-password", RootFingerprint: "AA:BB",
		},
		"testdata/failed.txt": {
			Status:   status.Status{Stage: appliance.BootstrapFailure, Host: "2001:db8::7", Model: "m", LastError: "one\ntwo"},
			Password: "it's-$ecret",
		},
	}
	for golden, report := range reports {
		got := report.Render()
		if *update {
			require.NoError(t, os.WriteFile(golden, got, 0o644))
		}
		want, err := os.ReadFile(golden)
		require.NoError(t, err)
		assert.Equal(t, string(want), string(got))
	}
}
