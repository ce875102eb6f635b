package plan

import (
	"fmt"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/pair"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/status"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/tlsca"
)

// Each source of a server certificate has one file below appliance.TLSDir that holds
// certificate, chain and key, so that a pair never mismatches.
const (
	// LeafFile is the certificate of the machine's own authority. It is kept even where
	// another one is served.
	LeafFile = appliance.TLSDir + "/self/server.pem"
	// ACMEFile and OperatorFile are empty unless they are served.
	ACMEFile     = appliance.TLSDir + "/acme/server.pem"
	OperatorFile = appliance.TLSDir + "/operator/server.pem"
)

// certbotTrust is for a file of variables that certbot's own service reads.
const certbotTrust = "# Rendered by slm-copilot configure. How certbot trusts the ACME server.\n"

// TLS is the certificates of a machine, and which of them clients see.
type TLS struct {
	Own tlsca.Material
	// Source is one of the sources of package status.
	Source string
	// Served is the certificate in use with its chain and key.
	Served []byte
	// Warnings say why it is not another one.
	Warnings []string
}

// Offers are the certificates that could be served.
type Offers struct {
	Own tlsca.Material
	// Operator is nil if the operator gave none. It goes before ACME's, better ones of
	// which come first.
	Operator *pair.Pair
	ACME     []pair.Pair
	// Domain is the name clients use; empty if they use the address.
	Domain string
	// At is the time of the decision; zero if the clock is not set.
	At time.Time
}

// Choose takes the operator's certificate, else one from ACME, else the own one: a
// certificate that clients refuse is worse than one they can be told to trust.
func (o Offers) Choose() TLS {
	chosen := TLS{Own: o.Own, Source: status.SourceOwn, Served: o.Own.Leaf}
	if o.Operator != nil {
		if refusal := o.Operator.Refusal(o.Domain, o.At); refusal != nil {
			chosen.warn("%s is not used, clients get one of the machine's own authority: %v", appliance.VarCertificate, refusal)
			return chosen
		}
		if o.At.IsZero() {
			chosen.warn("the clock is not set, so the dates of %s were not checked", appliance.VarCertificate)
		}
		chosen.Source, chosen.Served = status.SourceOperator, o.Operator.Text
		return chosen
	}
	for _, offer := range o.ACME {
		refusal := offer.Refusal(o.Domain, o.At)
		if refusal == nil {
			chosen.Source, chosen.Served, chosen.Warnings = status.SourceACME, offer.Text, nil
			return chosen
		}
		chosen.warn("the certificate from ACME is not used: %v", refusal)
	}
	return chosen
}

// CertificateWarning starts every warning about certificates.
const CertificateWarning = "certificate: "

func (t *TLS) warn(format string, args ...any) {
	t.Warnings = append(t.Warnings, CertificateWarning+fmt.Sprintf(format, args...))
}

// proxyCertificates are in the order in which a reader may meet them at any moment: the file
// first, then the one link that decides.
func proxyCertificates(t TLS) []Entry {
	entries := []Entry{
		secretFile(appliance.CAKey, t.Own.RootKey),
		file(appliance.CACert, 0o644, t.Own.RootCert),
		file(appliance.WebRoot+appliance.PathCA, 0o644, t.Own.RootCert),
		secretFile(LeafFile, t.Own.Leaf, appliance.NginxUnit),
	}
	target := "self/server.pem"
	switch t.Source {
	case status.SourceACME:
		target = "acme/server.pem"
		entries = append(entries, secretFile(ACMEFile, t.Served, appliance.NginxUnit))
	case status.SourceOperator:
		target = "operator/server.pem"
		entries = append(entries, secretFile(OperatorFile, t.Served, appliance.NginxUnit))
	}
	return append(entries,
		link(appliance.ServerCert, target, appliance.NginxUnit),
		link(appliance.ServerKey, "server.pem", appliance.NginxUnit),
	)
}

// restCertificates leave no key behind that is no longer in use, and tell certbot whom to
// trust.
func restCertificates(t TLS, acmeCA []byte) []Entry {
	var entries []Entry
	if t.Source != status.SourceACME {
		entries = append(entries, secretFile(ACMEFile, nil))
	}
	if t.Source != status.SourceOperator {
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
