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
	chosen := o.choose()
	if chosen.Source == status.SourceOwn && !o.At.IsZero() {
		chosen.warnOfExpiry(o.At)
	}
	return chosen
}

func (o Offers) choose() Chosen {
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

// expiryNotice is how long before the end of the root its users are warned: each of them has
// something to do then.
const expiryNotice = 90 * 24 * time.Hour

// warnOfExpiry says when clients will refuse the root, and what to do. It is not replaced by
// itself: on the day the clock is wrong that would take the trust of every client.
func (c *Chosen) warnOfExpiry(at time.Time) {
	root, err := parseRoot(c.Own)
	if err != nil {
		return
	}
	end := root.Leaf.NotAfter.UTC().Format(time.DateOnly)
	const remedy = "To make it, remove " + appliance.CAKey + " and run slm-copilot configure; clients get it as slm-copilot report says"
	switch {
	case at.Before(root.Leaf.NotBefore):
		c.warn("the root certificate is not valid before %s: the clock of this machine is behind, or was ahead when it was made", root.Leaf.NotBefore.UTC().Format(time.RFC3339))
	case at.After(root.Leaf.NotAfter):
		c.warn("every client must trust a new root certificate, because this one expired on %s. %s", end, remedy)
	case root.Leaf.NotAfter.Sub(at) < expiryNotice:
		c.warn("every client must trust a new root certificate before %s, when this one expires. %s", end, remedy)
	}
}

// WarningPrefix starts every warning about certificates.
const WarningPrefix = "certificate: "

func (c *Chosen) warn(format string, args ...any) {
	c.Warnings = append(c.Warnings, WarningPrefix+fmt.Sprintf(format, args...))
}
