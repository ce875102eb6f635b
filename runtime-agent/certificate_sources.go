package main

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/guardedfile"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/probe/clients"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/certs"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/certs/acme"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/machine"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/plan"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/status"
)

// clockFloor is before any time this program can run at: an earlier clock, such as one
// without a battery at boot, is not set.
var clockFloor = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)

func clockIsSet(now time.Time) bool { return !now.Before(clockFloor) }

// certificates renews the certificate of the VM's own CA where needed and chooses the one to serve.
func (s sources) certificates(settings appliance.Settings, values map[string]string, facts machine.Facts) (certs.Chosen, error) {
	own, err := s.ownCertificates(settings, values, facts)
	if err != nil {
		return certs.Chosen{}, err
	}
	offers := certs.Offers{Own: own, Domain: settings.Domain}
	if now := s.now(); clockIsSet(now) {
		offers.At = now
	}
	if offers.Operator, err = operatorPair(settings); err != nil {
		return certs.Chosen{}, err
	}
	order, wanted := acmeOrder(settings)
	if wanted {
		offers.ACME = acmeOffers(s.root, s.certbot, order)
	}
	chosen := offers.Choose()
	if wanted {
		if warning := acme.LoadAttempts(filepath.Join(s.root, acmeAttempts), order).Warning(); warning != "" {
			chosen.Warnings = append(chosen.Warnings, certs.WarningPrefix+warning)
		}
	}
	return chosen, nil
}

func (s sources) ownCertificates(settings appliance.Settings, values map[string]string, facts machine.Facts) (certs.Material, error) {
	var old certs.Material
	var bootID, rootCopy []byte
	for path, content := range map[string]*[]byte{
		appliance.CACert: &old.RootCert, appliance.CAKey: &old.RootKey, plan.LeafFile: &old.Leaf, plan.BootIDFile: &bootID,
		appliance.WebRoot + appliance.PathCA: &rootCopy,
	} {
		text, err := guardedfile.Read(filepath.Join(s.root, path), certs.MaxSize)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return old, fmt.Errorf("read the present certificates: %w", err)
		}
		*content = text
	}
	now, unsure := s.now(), facts.ClockUnsynchronized
	if !clockIsSet(now) {
		// A root certificate of 1970 would have expired once the clock is set, and users
		// would have to trust another one.
		now, unsure = clockFloor, true
	}
	return certs.Renew(old, certs.Request{
		Names:     names(settings, values, facts),
		Addresses: addresses(values, facts),
		NewBoot:   strings.TrimSpace(string(bootID)) != facts.BootID,
		Now:       now, ClockUnsure: unsure,
		RootCopy: rootCopy, Expected: everConfigured(s.root),
	})
}

// describeCertificate returns nil if the text is not a certificate.
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
