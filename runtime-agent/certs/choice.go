package certs

import (
	"fmt"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/status"
)

// Chosen contains the VM's own certificates and the one that clients get.
type Chosen struct {
	Own Material
	// Source is one of the sources of package status.
	Source string
	// Served is the certificate in use with its chain and key.
	Served []byte
	// Warnings say why it is not another one.
	Warnings []string
}

// Offers are the certificates that could be served.
type Offers struct {
	Own Material
	// Operator is nil if the operator gave none. It takes precedence over those from ACME,
	// which are in order of preference.
	Operator *Pair
	ACME     []Pair
	// Domain is the name clients use; empty if they use the address.
	Domain string
	// At is the time of the decision; zero if the clock is not set.
	At time.Time
}

// Choose takes the operator's certificate, else one from ACME, else that of the VM's own CA:
// a certificate that clients refuse is worse than one they can be told to trust.
func (o Offers) Choose() Chosen {
	chosen := Chosen{Own: o.Own, Source: status.SourceOwn, Served: o.Own.Leaf}
	if o.Operator != nil {
		if refusal := o.Operator.Refusal(o.Domain, o.At); refusal != nil {
			chosen.warn("%s is not used, clients get one signed by the VM's own CA: %v", appliance.VarCertificate, refusal)
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

// WarningPrefix starts every warning about certificates.
const WarningPrefix = "certificate: "

func (c *Chosen) warn(format string, args ...any) {
	c.Warnings = append(c.Warnings, WarningPrefix+fmt.Sprintf(format, args...))
}
