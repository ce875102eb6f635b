package main

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/probe/clients"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/certs"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/certs/acme"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/machine"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/plan"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/status"
)

// acmeAttempts is where the failures to get a certificate are kept across boots.
const acmeAttempts = appliance.StateDir + "/acme.json"

// clockFloor is before any time this program can run at: a clock that shows less, as one
// without a battery does at boot, is not set.
var clockFloor = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)

func (a app) clockIsSet() bool { return !a.now().Before(clockFloor) }

// parseSettings validates a context, the operator's certificate included. The error has one
// line per mistake.
func parseSettings(values map[string]string) (appliance.Settings, error) {
	settings, err := appliance.ParseSettings(values)
	if _, mistake := operatorPair(settings); mistake != nil {
		err = errors.Join(err, fmt.Errorf("%s and %s: %s", appliance.VarCertificate, appliance.VarKey,
			strings.ReplaceAll(mistake.Error(), "\n", "; ")))
	}
	return settings, err
}

// operatorPair returns nil if the operator gave no certificate.
func operatorPair(settings appliance.Settings) (*certs.Pair, error) {
	if settings.Certificate == nil || settings.Key == nil {
		return nil, nil
	}
	given, err := certs.Parse(settings.Certificate, settings.Key)
	if err != nil {
		return nil, err
	}
	return &given, nil
}

// certificates renews the own certificate where needed and chooses the one to serve.
func (a app) certificates(settings appliance.Settings, values map[string]string, facts machine.Facts) (certs.Chosen, error) {
	own, err := a.ownCertificates(settings, values, facts)
	if err != nil {
		return certs.Chosen{}, err
	}
	offers := certs.Offers{Own: own, Domain: settings.Domain}
	if a.clockIsSet() {
		offers.At = a.now()
	}
	if offers.Operator, err = operatorPair(settings); err != nil {
		return certs.Chosen{}, err
	}
	order, wanted := acmeOrder(settings)
	if wanted {
		offers.ACME = a.acmeOffers(order)
	}
	chosen := offers.Choose()
	if wanted {
		if warning := acme.LoadAttempts(a.path(acmeAttempts), order).Warning(); warning != "" {
			chosen.Warnings = append(chosen.Warnings, certs.WarningPrefix+warning)
		}
	}
	return chosen, nil
}

func (a app) ownCertificates(settings appliance.Settings, values map[string]string, facts machine.Facts) (certs.Material, error) {
	var old certs.Material
	var bootID []byte
	for path, content := range map[string]*[]byte{
		appliance.CACert: &old.RootCert, appliance.CAKey: &old.RootKey, plan.LeafFile: &old.Leaf, plan.BootIDFile: &bootID,
	} {
		text, err := os.ReadFile(a.path(path))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return old, fmt.Errorf("read the present certificates: %w", err)
		}
		*content = text
	}
	now := a.now()
	if !a.clockIsSet() {
		// A root of 1970 would be over when the clock is set, and with it every user's
		// trust.
		now = clockFloor
	}
	return certs.Renew(old, certs.Request{
		Names:     names(settings, values, facts),
		Addresses: addresses(values, facts),
		NewBoot:   strings.TrimSpace(string(bootID)) != facts.BootID,
		Now:       now,
	})
}

// acmeOrder says what to ask the ACME server for, if anything.
func acmeOrder(settings appliance.Settings) (order acme.Order, wanted bool) {
	if settings.Domain == "" || settings.Certificate != nil {
		return acme.Order{}, false
	}
	order = acme.Order{Domain: settings.Domain, Directory: settings.ACMEDirectory, Email: settings.ACMEEmail}
	if len(settings.ACMECA) > 0 {
		sum := sha256.Sum256(settings.ACMECA)
		order.CADigest = hex.EncodeToString(sum[:])
	}
	return order, true
}

// acmeOffers are what certbot has and what was taken over from it before: a damage to
// certbot's files must not take a valid certificate from clients.
func (a app) acmeOffers(order acme.Order) []certs.Pair {
	var offers []certs.Pair
	if present, _, err := a.certbot.Present(order); err == nil {
		offers = append(offers, present)
	}
	text, err := os.ReadFile(a.path(plan.ACMEFile))
	if err != nil || len(bytes.TrimSpace(text)) == 0 {
		return offers
	}
	if taken, err := certs.ParseText(text); err == nil {
		offers = append(offers, taken)
	}
	return offers
}

// describeCertificate is nil if the text is no certificate.
func describeCertificate(chosen certs.Chosen) *status.Certificate {
	leaf, err := certs.ParseLeaf(chosen.Served)
	if err != nil {
		return nil
	}
	return certificateStatus(leaf, chosen.Source)
}

func certificateStatus(leaf *x509.Certificate, source string) *status.Certificate {
	return &status.Certificate{
		Subject: leaf.Subject.String(), Issuer: leaf.Issuer.String(), Source: source,
		NotAfter: leaf.NotAfter.UTC(), Fingerprint: clients.Fingerprint(leaf),
	}
}
