package plan

import (
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/certs"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/nginx"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/status"
)

// Each source of a server certificate has one file below appliance.TLSDir that holds
// certificate, chain and key, so that a pair never mismatches.
const (
	// LeafFile is the certificate signed by the VM's own CA. It is kept even where another
	// one is served.
	LeafFile = appliance.TLSDir + "/self/server.pem"
	// ACMEFile and OperatorFile are empty unless they are served.
	ACMEFile     = appliance.TLSDir + "/acme/server.pem"
	OperatorFile = appliance.TLSDir + "/operator/server.pem"
)

// certbotTrust is for a file of variables that certbot's own service reads.
const certbotTrust = "# Rendered by slm-copilot configure. How certbot trusts the ACME server.\n"

// proxyCertificates are in an order that is valid at any moment: first the file, then the
// one link that selects it.
func proxyCertificates(c certs.Chosen, hosts []string) []Entry {
	names := nginx.Site{Hosts: hosts, PublicCertificate: c.Source != status.SourceOwn}
	entries := []Entry{
		file(appliance.NginxNames, 0o644, names.RenderNames(), appliance.NginxUnit),
		secretFile(appliance.CAKey, c.Own.RootKey),
		file(appliance.CACert, 0o644, c.Own.RootCert),
		file(appliance.WebRoot+appliance.PathCA, 0o644, c.Own.RootCert),
		secretFile(LeafFile, c.Own.Leaf, appliance.NginxUnit),
	}
	target := "self/server.pem"
	switch c.Source {
	case status.SourceACME:
		target = "acme/server.pem"
		entries = append(entries, secretFile(ACMEFile, c.Served, appliance.NginxUnit))
	case status.SourceOperator:
		target = "operator/server.pem"
		entries = append(entries, secretFile(OperatorFile, c.Served, appliance.NginxUnit))
	}
	return append(entries,
		link(appliance.ServerCert, target, appliance.NginxUnit),
		link(appliance.ServerKey, "server.pem", appliance.NginxUnit),
	)
}

// restCertificates empty the files of unused keys, and tell certbot which CA to trust.
func restCertificates(c certs.Chosen, acmeCA []byte) []Entry {
	var entries []Entry
	if c.Source != status.SourceACME {
		entries = append(entries, secretFile(ACMEFile, nil))
	}
	if c.Source != status.SourceOperator {
		entries = append(entries, secretFile(OperatorFile, nil))
	}
	trust := certbotTrust
	if len(acmeCA) > 0 {
		trust += "REQUESTS_CA_BUNDLE=" + appliance.ACMECAFile + "\n"
	}
	return append(entries,
		file(appliance.ACMECAFile, 0o644, acmeCA),
		file(appliance.CertbotEnvFile, 0o644, []byte(trust)),
	)
}
