package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/certs"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/certs/acme"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/lock"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/logfile"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/plan"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/status"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/vmcontext"
)

const (
	// obtainLock is another one than configure's: certbot's deploy hook wants that while
	// certbot runs.
	obtainLock = "/run/lock/slm-copilot-acme"
	// obtainTimeout covers the attempt of another run and then our own.
	obtainTimeout = 7 * time.Minute
	// reloadPauses is how many pauses of the app nginx gets to start new workers.
	reloadPauses = 5
)

// certificate renews what is due, asks the ACME server if that is wanted, and notes what
// clients really get. deployed means that certbot itself says it has something new.
func (a app) certificate(ctx context.Context, deployed bool) error {
	log := a.openLog()
	defer func() { _ = log.Close() }()
	if _, err := os.Stat(a.path(appliance.LocalAIEnvFile)); errors.Is(err, fs.ErrNotExist) {
		log.Info("certificate: no context was ever applied, so there is nothing to do")
		return nil
	}
	if !deployed {
		if err := a.obtain(ctx, log); err != nil {
			log.Warn("certificate: %v", err)
		}
	}
	if err := a.renew(ctx, log); err != nil {
		log.Error("certificate: %v", err)
		return err
	}
	return nil
}

// lastGood returns the context that is in force.
func (a app) lastGood() (appliance.Settings, vmcontext.Found, error) {
	found, err := vmcontext.FindLastGood(a.root)
	if err != nil {
		return appliance.Settings{}, found, err
	}
	settings, err := parseSettings(found.Values)
	if err != nil {
		return settings, found, fmt.Errorf("the last good context is not good any more: %w", err)
	}
	return settings, found, nil
}

// obtain asks the ACME server if that is wanted, needed and not too soon.
func (a app) obtain(ctx context.Context, log *logfile.Log) error {
	settings, _, err := a.lastGood()
	if err != nil {
		return err
	}
	order, wanted := acmeOrder(settings)
	if !wanted {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, obtainTimeout)
	defer cancel()
	release, err := lock.Acquire(ctx, a.path(obtainLock))
	if err != nil {
		return err
	}
	defer func() { _ = release() }()

	state := a.path(acmeAttempts)
	if a.hasCertificate(order) {
		return acme.Forget(state)
	}
	attempts := acme.LoadAttempts(state, order)
	if !attempts.Due(a.now()) {
		return nil // the warning stands in the status
	}
	if !a.clockIsSet() {
		return fmt.Errorf("the clock is not set (it shows %s): %s is not asked for a certificate yet", a.now().UTC().Format(time.RFC3339), order.Directory)
	}
	// Counted before it is made, so that a machine that restarts again and again does not
	// ask again and again.
	if err := attempts.After(errors.New("the attempt did not come to its end"), a.now()).Save(state); err != nil {
		return err
	}
	log.Info("certificate: asking %s for one for %s", order.Directory, order.Domain)
	err = a.certbot.Obtain(ctx, order)
	if err == nil && !a.hasCertificate(order) {
		err = errors.New("certbot is content with the certificate it has, which ends soon or is not for this name")
	}
	if err != nil {
		return attempts.After(err, a.now()).Save(state) // which becomes a warning of the status
	}
	log.Info("certificate: %s gave one for %s", order.Directory, order.Domain)
	return acme.Forget(state)
}

// hasCertificate says whether certbot has what the order wants, for long enough.
func (a app) hasCertificate(order acme.Order) bool {
	present, ordered, err := a.certbot.Present(order)
	return err == nil && ordered && present.Refusal(order.Domain, a.now()) == nil && !acme.RenewalDue(present.Leaf, a.now())
}

// renew applies the context in force once more: whatever became due since, or is there to
// be taken over, then differs from the plan.
func (a app) renew(ctx context.Context, log *logfile.Log) error {
	ctx, cancel := context.WithTimeout(ctx, configureTimeout)
	defer cancel()
	release, err := lock.Acquire(ctx, a.path(lockFile))
	if err != nil {
		return err
	}
	defer func() { _ = release() }()

	settings, found, err := a.lastGood()
	if err != nil {
		return err
	}
	in, err := a.gather(settings, found)
	if err != nil {
		return err
	}
	before, err := a.store().Load()
	if err != nil {
		return err
	}
	outcome, err := a.applyPlan(ctx, in, plan.Make(in))
	if err != nil {
		return err
	}
	// More than certificates may have changed, such as the number of processors. What is
	// refused stays refused.
	if outcome.Proving && applied(before.Stage) {
		if err := a.conclude(ctx, in, outcome, "the last good context", log); err != nil {
			return err
		}
		if before, err = a.store().Load(); err != nil {
			return err
		}
	}
	return a.noteCertificate(ctx, in.TLS, before, log)
}

// noteCertificate completes a status by what clients really get, and stores it, and the
// report, if that is news.
func (a app) noteCertificate(ctx context.Context, chosen certs.Chosen, next status.Status, log *logfile.Log) error {
	present, err := a.store().Load()
	if err != nil {
		return err
	}
	shown, surprise := a.served(ctx, chosen, next.Host)
	next.Certificate, next.Since = shown, present.Since
	next.Warnings = slices.DeleteFunc(slices.Clone(next.Warnings), func(warning string) bool {
		return strings.HasPrefix(warning, certs.WarningPrefix)
	})
	next.Warnings = append(next.Warnings, chosen.Warnings...)
	if surprise != "" {
		next.Warnings = append(next.Warnings, certs.WarningPrefix+surprise)
	}
	if reflect.DeepEqual(next, present) {
		return nil
	}
	for _, warning := range next.Warnings {
		if !slices.Contains(present.Warnings, warning) {
			log.Warn("%s", warning)
		}
	}
	if shown != nil {
		log.Info("certificate: clients get %s from %s (%s), until %s", shown.Subject, shown.Issuer, shown.Source, shown.NotAfter.Format(time.RFC3339))
	}
	if err := a.store().Save(next); err != nil {
		return err
	}
	if _, err := os.Stat(a.path(appliance.ReportFile)); err != nil {
		return nil // bootstrap will write the first one
	}
	_, err = a.writeReport(next)
	return err
}

// served describes the certificate nginx shows, and says so if it insists on another than the
// chosen one.
// While nobody listens it is the one nginx will show.
func (a app) served(ctx context.Context, chosen certs.Chosen, host string) (shown *status.Certificate, surprise string) {
	wanted, err := certs.ParseLeaf(chosen.Served)
	if err != nil {
		return nil, fmt.Sprintf("the one to serve is damaged: %v", err)
	}
	expected := certificateStatus(wanted, chosen.Source)
	address := strings.TrimPrefix(a.baseURL, "https://")
	leaf, err := certs.AwaitServed(ctx, address, host, wanted, reloadPauses*a.pause)
	if err == nil && !leaf.Equal(wanted) {
		// A reload was lost, or came before the files.
		if err := a.units.TryReload(ctx, appliance.NginxUnit); err != nil {
			return certificateStatus(leaf, status.SourceUnknown), err.Error()
		}
		leaf, err = certs.AwaitServed(ctx, address, host, wanted, reloadPauses*a.pause)
	}
	switch {
	case errors.Is(err, certs.ErrNobodyListens):
		return expected, ""
	case err != nil:
		return expected, fmt.Sprintf("it is not known what clients get: %v", err)
	case leaf.Equal(wanted):
		return expected, ""
	}
	return certificateStatus(leaf, status.SourceUnknown), fmt.Sprintf("clients get another one than configured, %s from %s: see journalctl -u %s",
		leaf.Subject, leaf.Issuer, appliance.NginxUnit)
}
