package plan

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/goldentest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/certs"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/status"
)

// What differs from a machine that serves the certificate of its own CA; the link must not
// be changed before the file it points to exists.
func TestServedCertificates(t *testing.T) {
	const golden = "testdata/tls.txt"
	var got strings.Builder
	for _, source := range []string{status.SourceOwn, status.SourceACME, status.SourceOperator} {
		served := certs.Chosen{Own: certs.Material{Leaf: []byte("own\n")}, Source: source, Served: []byte("served\n")}
		got.WriteString("[" + source + "]\n")
		got.WriteString(describe(Plan{Proxy: proxyCertificates(served, nil), Rest: restCertificates(served, []byte("a CA\n"))}))
	}
	goldentest.Equal(t, golden, got.String())
}

func TestTheLinksAreReplacedInOneStep(t *testing.T) {
	for _, source := range []string{status.SourceOwn, status.SourceACME, status.SourceOperator} {
		entries := proxyCertificates(certs.Chosen{Source: source}, nil)
		assert.Equal(t, "server.pem", entries[len(entries)-1].LinkTo, "the key follows the certificate")
		assert.Equal(t, appliance.ServerCert, entries[len(entries)-2].Path)
	}
}
