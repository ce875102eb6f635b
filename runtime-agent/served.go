package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/apply"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/certs"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/logfile"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/status"
)

// reloadPauses is how many of the app's pauses to wait until nginx has started new workers.
const reloadPauses = 5

// proxy is nginx, as clients on the machine itself see it.
type proxy struct {
	baseURL string
	units   apply.Units
	// patience is how long to wait until nginx has started new workers.
	patience time.Duration
}

// served describes the certificate nginx serves, and warns if that is not the chosen one.
// While nothing listens, it describes the one nginx will serve.
func (p proxy) served(ctx context.Context, chosen certs.Chosen, host string) (shown *status.Certificate, surprise string) {
	wanted, err := certs.ParseLeaf(chosen.Served)
	if err != nil {
		return nil, fmt.Sprintf("the one to serve is damaged: %v", err)
	}
	expected := certificateStatus(wanted, chosen.Source)
	address := strings.TrimPrefix(p.baseURL, "https://")
	leaf, err := certs.AwaitServed(ctx, address, host, wanted, p.patience)
	if err == nil && !leaf.Equal(wanted) {
		// A reload was lost, or came before the files were written.
		if err := p.units.TryReload(ctx, appliance.NginxUnit); err != nil {
			return certificateStatus(leaf, status.SourceUnknown), err.Error()
		}
		leaf, err = certs.AwaitServed(ctx, address, host, wanted, p.patience)
	}
	switch {
	case errors.Is(err, certs.ErrNothingListens):
		return expected, ""
	case err != nil:
		return expected, fmt.Sprintf("it is not known which one clients get: %v", err)
	case leaf.Equal(wanted):
		return expected, ""
	}
	return certificateStatus(leaf, status.SourceUnknown), fmt.Sprintf("clients do not get the configured one, but %s from %s: see journalctl -u %s",
		leaf.Subject, leaf.Issuer, appliance.NginxUnit)
}

// noteCertificate adds to the status which certificate clients really get, and stores status
// and report if that has changed.
func (c converger) noteCertificate(ctx context.Context, chosen certs.Chosen, next status.Status) error {
	present, err := c.state.Load()
	if err != nil {
		return err
	}
	shown, surprise := c.proxy.served(ctx, chosen, next.Host)
	next.Certificate, next.Since = shown, present.Since
	next.Warnings = certificateWarnings(next.Warnings, chosen.Warnings, surprise)
	if next = next.Public(); reflect.DeepEqual(next, present) {
		return nil
	}
	logNews(c.log, present, next)
	if err := c.state.Save(next); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(c.state.Root, appliance.ReportFile)); err != nil {
		return nil // bootstrap will write the first one
	}
	return writeReport(c.state.Root, next)
}

// certificateWarnings replaces the earlier warnings about certificates.
func certificateWarnings(before, chosen []string, surprise string) []string {
	warnings := slices.DeleteFunc(slices.Clone(before), func(warning string) bool {
		return strings.HasPrefix(warning, certs.WarningPrefix)
	})
	warnings = append(warnings, chosen...)
	if surprise != "" {
		warnings = append(warnings, certs.WarningPrefix+surprise)
	}
	return warnings
}

func logNews(log *logfile.Log, present, next status.Status) {
	for _, warning := range next.Warnings {
		if !slices.Contains(present.Warnings, warning) {
			log.Warn("%s", warning)
		}
	}
	if shown := next.Certificate; shown != nil {
		log.Info("certificate: clients get %s from %s (%s), until %s", shown.Subject, shown.Issuer, shown.Source, shown.NotAfter.Format(time.RFC3339))
	}
}
