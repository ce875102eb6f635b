package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/guardedfile"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/certs"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/certs/acme"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/logfile"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/plan"
)

const (
	// acmeAttempts stores the failures to get a certificate across boots.
	acmeAttempts = appliance.StateDir + "/acme.json"
	// obtainLock is not configure's lock: certbot's deploy hook takes that one while
	// certbot runs.
	obtainLock = appliance.StateDir + "/acme-lock"
	// obtainTimeout covers the attempt of another run and then our own.
	obtainTimeout = 7 * time.Minute
)

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

// acmeOffers are certbot's certificate and our copy of it: damage to certbot's files must
// not take a valid certificate from clients.
func acmeOffers(root string, certbot acme.Certbot, order acme.Order) []certs.Pair {
	var offers []certs.Pair
	if present, _, err := certbot.Present(order); err == nil {
		offers = append(offers, present)
	}
	text, err := guardedfile.Read(filepath.Join(root, plan.ACMEFile), certs.MaxSize)
	if err != nil || len(bytes.TrimSpace(text)) == 0 {
		return offers
	}
	if taken, err := certs.ParseText(text); err == nil {
		offers = append(offers, taken)
	}
	return offers
}

// obtainer gets certificates from the ACME server of the settings in force.
type obtainer struct {
	root    string
	now     func() time.Time
	certbot acme.Certbot
	log     *logfile.Log
}

// obtain asks the ACME server if that is configured, needed and not too soon.
func (o obtainer) obtain(ctx context.Context) error {
	settings, _, err := lastGood(o.root)
	if err != nil {
		return err
	}
	order, wanted := acmeOrder(settings)
	if !wanted {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, obtainTimeout)
	defer cancel()
	release, err := waitForLock(ctx, filepath.Join(o.root, obtainLock))
	if err != nil {
		return err
	}
	defer func() { _ = release() }()

	failures := filepath.Join(o.root, acmeAttempts)
	if o.hasCertificate(order) {
		return acme.Forget(failures)
	}
	attempts := acme.LoadAttempts(failures, order)
	if !attempts.Due(o.now()) {
		return nil // the warning is in the status
	}
	if !clockIsSet(o.now()) {
		return fmt.Errorf("the clock is not set (it shows %s): %s is not asked for a certificate yet", o.now().UTC().Format(time.RFC3339), order.Directory)
	}
	// Counted before it is made, so that a machine in a restart loop does not run into the
	// rate limit.
	if err := attempts.After(errors.New("the attempt was interrupted"), o.now()).Save(failures); err != nil {
		return err
	}
	if err := o.ask(ctx, order); err != nil {
		return attempts.After(err, o.now()).Save(failures) // which becomes a warning of the status
	}
	return acme.Forget(failures)
}

func (o obtainer) ask(ctx context.Context, order acme.Order) error {
	o.log.Info("certificate: requesting one from %s for %s", order.Directory, order.Domain)
	if err := o.certbot.Obtain(ctx, order); err != nil {
		return err
	}
	if !o.hasCertificate(order) {
		return errors.New("certbot keeps the certificate it has, which expires soon or is not for this name")
	}
	o.log.Info("certificate: %s issued one for %s", order.Directory, order.Domain)
	return nil
}

// hasCertificate reports whether certbot has what the order wants, for long enough.
func (o obtainer) hasCertificate(order acme.Order) bool {
	present, ordered, err := o.certbot.Present(order)
	return err == nil && ordered && present.Refusal(order.Domain, o.now()) == nil && !acme.RenewalDue(present.Leaf, o.now())
}
