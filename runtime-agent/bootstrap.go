package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/guardedfile"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/probe/completion"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/certs"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/onegate"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/probe"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/report"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/secret"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/speed"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/status"
)

const (
	// bootstrapTimeout is enough for 14 GiB of weights on a slow disk. systemd starts the
	// wait again after it.
	bootstrapTimeout = 30 * time.Minute
	smokeTestTimeout = 15 * time.Minute
)

// bootstrap waits for the first token and then says that the appliance is ready.
func (a app) bootstrap(ctx context.Context, timeout time.Duration) error {
	log := a.openLog()
	defer log.Close()
	waiting, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()

	reportToOneGate(ctx, a.root, log, onegate.NotReady())
	announced := false
	result, err := probe.Wait(waiting, a.pause, func() (probe.Client, error) {
		if !announced {
			if err := announce(waiting, a.state()); err != nil {
				return probe.Client{}, err
			}
			announced = true
			log.Info("bootstrap: waiting for the first token")
		}
		return newClient(a.state(), a.baseURL)
	}, func(line string) { log.Info("bootstrap: %s", line) })

	switch {
	case err == nil:
		log.Info("bootstrap: the model answers; %s", summary(result))
		// Its failure is logged and does not keep the VM from being ready: there always is a certificate.
		_ = a.certificate(ctx)
		proven, err := succeed(ctx, a.state())
		if err != nil {
			return err
		}
		log.Info("bootstrap: ready")
		pairs := onegate.Ready(proven.Endpoint(), proven.Status.Model)
		maps.Copy(pairs, speed.Of(proven.Status.Speed).Attributes())
		reportToOneGate(ctx, a.root, log, pairs)
		if err := a.units.Restart(ctx, appliance.BenchmarkUnit); err != nil {
			log.Warn("benchmark: %v", err)
		}
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("bootstrap was interrupted: %w", context.Cause(ctx))
	}
	log.Error("bootstrap: %v", err)
	if !announced {
		return err // the status already says what is wrong
	}
	return errors.Join(err, giveUp(ctx, a.state(), err))
}

// announce updates the status. It must not hide a refused context.
func announce(ctx context.Context, s state) error {
	return s.change(ctx, func(present *status.Status) error {
		if !applied(present.Stage) {
			return fmt.Errorf("the context is not applied (status %q)", present.Stage)
		}
		present.Stage, present.LastError = appliance.BootstrapStarted, ""
		return nil
	})
}

// succeed writes the report first: whoever sees the status must find it. A configure that
// changed something meanwhile has restarted this unit, so this result no longer counts.
func succeed(ctx context.Context, s state) (proven report.Report, err error) {
	err = s.change(ctx, func(present *status.Status) error {
		if present.Stage != appliance.BootstrapStarted {
			return fmt.Errorf("the configuration changed meanwhile (status %q)", present.Stage)
		}
		present.Stage = appliance.BootstrapSuccess
		proven.Status = *present
		return writeReport(s.Root, *present)
	})
	return proven, err
}

func giveUp(ctx context.Context, s state, reason error) error {
	return s.change(ctx, func(present *status.Status) error {
		if applied(present.Stage) {
			present.Stage, present.LastError = appliance.BootstrapFailure, reason.Error()
		}
		return nil
	})
}

// smokeTest asks once, after the units were started a moment ago.
func (a app) smokeTest(ctx context.Context, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	client := func() (probe.Client, error) { return newClient(a.state(), a.baseURL) }
	say := func(line string) { fmt.Fprintln(a.stderr, line) }
	result, err := probe.Wait(ctx, a.pause, client, say)
	if err != nil {
		return err
	}
	fmt.Fprintf(a.stdout, "%s: %q\n", summary(result), result.Text)
	return nil
}

func summary(r completion.Result) string {
	return fmt.Sprintf("%d tokens in %s, the first after %s",
		r.Tokens, r.Total.Round(time.Millisecond), r.FirstToken.Round(time.Millisecond))
}

// newClient asks as a user would, with what configure wrote.
func newClient(s state, baseURL string) (probe.Client, error) {
	present, err := s.Load()
	if err != nil {
		return probe.Client{}, err
	}
	password, err := secret.Read(filepath.Join(s.Root, appliance.PasswordFile))
	if err != nil {
		return probe.Client{}, err
	}
	certificate, err := guardedfile.Read(filepath.Join(s.Root, appliance.ServerCert), certs.MaxSize)
	if err != nil {
		return probe.Client{}, err
	}
	return probe.Client{BaseURL: baseURL, Model: present.Model, Password: password, Certificate: certificate}, nil
}
