package main

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/atomicfile"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/probe/clients"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/probe/completion"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/lock"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/logfile"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/onegate"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/probe"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/report"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/status"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/vmcontext"
)

const (
	// bootstrapTimeout leaves 14 GiB of weights on a slow disk their time. systemd
	// starts the wait again after it.
	bootstrapTimeout = 30 * time.Minute
	smokeTestTimeout = 15 * time.Minute
)

// bootstrap waits for the first token and then says that the appliance is ready.
func (a app) bootstrap(ctx context.Context, timeout time.Duration) error {
	log := a.openLog()
	defer log.Close()
	waiting, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()

	a.tellOneGate(ctx, log, onegate.NotReady())
	announced := false
	result, err := probe.Wait(waiting, a.pause, func() (probe.Client, error) {
		if !announced {
			if err := a.announce(waiting); err != nil {
				return probe.Client{}, err
			}
			announced = true
			log.Info("bootstrap: waiting for the first token")
		}
		return a.client()
	}, func(line string) { log.Info("bootstrap: %s", line) })

	switch {
	case err == nil:
		log.Info("bootstrap: the model answers; %s", summary(result))
		// Its failure is logged, and no reason not to be ready: there always is a certificate.
		_ = a.certificate(ctx, false)
		return a.succeed(ctx, log)
	case ctx.Err() != nil:
		return fmt.Errorf("bootstrap was interrupted: %w", context.Cause(ctx))
	}
	log.Error("bootstrap: %v", err)
	if !announced {
		return err // the status says already what is wrong
	}
	return errors.Join(err, a.change(ctx, func(present *status.Status) error {
		if applied(present.Stage) {
			present.Stage, present.LastError = appliance.BootstrapFailure, err.Error()
		}
		return nil
	}))
}

// change updates the status. configure may be at work, and neither may undo what the other
// says.
func (a app) change(ctx context.Context, edit func(*status.Status) error) error {
	release, err := lock.Acquire(ctx, a.path(lockFile))
	if err != nil {
		return err
	}
	defer func() { _ = release() }()
	present, err := a.store().Load()
	if err != nil {
		return err
	}
	if err := edit(&present); err != nil {
		return err
	}
	return a.store().Save(present)
}

// announce moves the status on. A context that was refused must not be covered up.
func (a app) announce(ctx context.Context) error {
	return a.change(ctx, func(present *status.Status) error {
		if !applied(present.Stage) {
			return fmt.Errorf("the context is not applied (status %q)", present.Stage)
		}
		present.Stage, present.LastError = appliance.BootstrapStarted, ""
		return nil
	})
}

// succeed writes the report first: whoever sees the status must find it. A configure that
// changed something meanwhile has told this unit to start again, so this proof is void.
func (a app) succeed(ctx context.Context, log *logfile.Log) error {
	var proven report.Report
	err := a.change(ctx, func(present *status.Status) error {
		if present.Stage != appliance.BootstrapStarted {
			return fmt.Errorf("the configuration changed meanwhile (status %q)", present.Stage)
		}
		present.Stage = appliance.BootstrapSuccess
		proven.Status = *present
		_, err := a.writeReport(*present)
		return err
	})
	if err != nil {
		return err
	}
	log.Info("bootstrap: ready")
	a.tellOneGate(ctx, log, onegate.Ready(proven.Endpoint(), proven.Status.Model))
	return nil
}

// tellOneGate reports to the cloud, if it wants to know. That it cannot be told changes
// nothing else.
func (a app) tellOneGate(ctx context.Context, log *logfile.Log, pairs map[string]string) {
	found, err := vmcontext.FindLastGood(a.root)
	if err != nil {
		log.Warn("OneGate is not told: %v", err)
		return
	}
	client := onegate.New(found.Values[appliance.VarOneGateEndpoint], found.Token, found.Values[appliance.VarVMID])
	if client == nil {
		log.Info("OneGate is not told: the context names no %s, or no token (TOKEN=YES of the template gives one)", appliance.VarOneGateEndpoint)
		return
	}
	if err := client.Report(ctx, pairs); err != nil {
		log.Warn("%v", err)
	}
}

// smokeTest asks once, after the units were started a moment ago.
func (a app) smokeTest(ctx context.Context, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	say := func(line string) { fmt.Fprintln(a.stderr, line) }
	result, err := probe.Wait(ctx, a.pause, a.client, say)
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

// client asks as a user would, with what configure left.
func (a app) client() (probe.Client, error) {
	present, err := a.store().Load()
	if err != nil {
		return probe.Client{}, err
	}
	password, err := a.password()
	if err != nil {
		return probe.Client{}, err
	}
	certificate, err := os.ReadFile(a.path(appliance.ServerCert))
	if err != nil {
		return probe.Client{}, err
	}
	return probe.Client{BaseURL: a.baseURL, Model: present.Model, Password: password, Certificate: certificate}, nil
}

func (a app) password() (string, error) {
	text, err := os.ReadFile(a.path(appliance.PasswordFile))
	return strings.TrimSuffix(string(text), "\n"), err
}

// writeReport brings the report file up to date and returns its text. While no settings were
// ever good there is no password, and nothing to connect to.
func (a app) writeReport(present status.Status) ([]byte, error) {
	content := report.Report{Status: present}
	var err error
	content.Password, err = a.password()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		content.Status.Host = ""
	case err != nil:
		return nil, err
	default:
		if content.RootFingerprint, err = a.rootFingerprint(); err != nil {
			return nil, err
		}
	}
	text := content.Render()
	if err := atomicfile.Sweep(a.path(appliance.ReportFile)); err != nil {
		return nil, err
	}
	_, err = atomicfile.WriteIfChanged(a.path(appliance.ReportFile), text, 0o600, nil)
	return text, err
}

func (a app) rootFingerprint() (string, error) {
	text, err := os.ReadFile(a.path(appliance.CACert))
	if err != nil {
		return "", err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return "", fmt.Errorf("%s holds no certificate", appliance.CACert)
	}
	root, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return "", fmt.Errorf("read %s: %w", appliance.CACert, err)
	}
	return clients.Fingerprint(root), nil
}
