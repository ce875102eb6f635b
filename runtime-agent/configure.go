package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/model/fit"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/apply"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/lock"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/logfile"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/machine"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/onegate"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/plan"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/secret"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/status"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/vmcontext"
)

const (
	// configureTimeout is generous for work of a second; one-context gives up its lock
	// after two minutes.
	configureTimeout = 100 * time.Second
	lockFile         = "/run/lock/slm-copilot"
)

// configure applies the context. If it cannot, the last good configuration stays as it is.
func (a app) configure(ctx context.Context, contextFile string) error {
	ctx, cancel := context.WithTimeout(ctx, configureTimeout)
	defer cancel()
	release, err := lock.Acquire(ctx, a.path(lockFile))
	if err != nil {
		return err
	}
	defer func() { _ = release() }()
	log := a.openLog()
	defer func() { _ = log.Close() }()

	if err := a.applyContext(ctx, contextFile, log); err != nil {
		log.Error("configure: %v", err)
		a.tellOneGate(ctx, log, onegate.NotReady())
		return errors.Join(errors.New("the context was not applied; the reasons stand above"), a.fail(appliance.ConfigureFailure, err))
	}
	return nil
}

// refusal is the error for settings that cannot be used.
type refusal struct{ mistakes []string }

func (r *refusal) Error() string { return strings.Join(r.mistakes, "\n") }

// fail stores a failure, keeping what else is known.
func (a app) fail(stage string, reason error) error {
	// A damaged document is replaced: there is nothing to keep in it.
	present, _ := a.store().Load()
	present.Stage, present.LastError, present.Mistakes = stage, reason.Error(), nil
	var refused *refusal
	if errors.As(reason, &refused) {
		present.Mistakes = refused.mistakes
	}
	err := a.store().Save(present)
	_, errReport := a.writeReport(present)
	return errors.Join(err, errReport)
}

func (a app) applyContext(ctx context.Context, contextFile string, log *logfile.Log) error {
	found, err := vmcontext.Find(a.root, contextFile)
	if err != nil {
		return err
	}
	if unknown := appliance.UnknownNames(found.Values); len(unknown) > 0 {
		log.Warn("the context holds names this image does not know: %s", strings.Join(unknown, ", "))
	}
	settings, err := parseSettings(found.Values)
	if err != nil {
		refused := &refusal{strings.Split(err.Error(), "\n")}
		return errors.Join(refused, a.serveWithout(ctx))
	}
	in, err := a.gather(settings, found)
	var refused *refusal
	if errors.As(err, &refused) {
		_, errApply := a.applyPlan(ctx, in, plan.Refused(in))
		return errors.Join(err, errApply)
	}
	if err != nil {
		return err
	}
	outcome, err := a.applyPlan(ctx, in, plan.Make(in))
	if err != nil {
		return err
	}
	return a.conclude(ctx, in, outcome, found.Source, log)
}

// serveWithout keeps the machine serving when its settings are refused: with the last good
// ones, if there ever were any, else with a site that says where to look.
func (a app) serveWithout(ctx context.Context) error {
	settings, found, err := a.lastGood()
	if err != nil {
		return err
	}
	in, err := a.gather(settings, found)
	var refused *refusal
	if err != nil && !errors.As(err, &refused) {
		return err
	}
	wanted := plan.Refused(in)
	if _, errStat := os.Stat(a.path(appliance.LocalAIEnvFile)); errStat == nil && refused == nil {
		wanted = plan.Make(in)
	}
	_, errApply := a.applyPlan(ctx, in, wanted)
	return errors.Join(err, errApply)
}

// readyComesEarly says whether one-context tells OneGate, besides the agent and before it.
func (a app) readyComesEarly(values map[string]string) bool {
	_, err := os.Stat(a.path(appliance.ReadyHook))
	return err == nil && values[appliance.VarReportReady] == "YES" &&
		values[appliance.VarReadyScript] == "" && values[appliance.VarReadyScriptPath] == ""
}

// gather reads everything the plan depends on and makes the secrets that are missing. If
// the error is a refusal, the rest is there, and enough for plan.Refused.
func (a app) gather(settings appliance.Settings, found vmcontext.Found) (plan.Input, error) {
	in := plan.Input{Settings: settings, Context: found.Values, Token: found.Token}
	if found.Warning != "" {
		in.Warnings = append(in.Warnings, found.Warning)
	}
	if a.readyComesEarly(found.Values) {
		in.Warnings = append(in.Warnings, fmt.Sprintf("%s=YES without %s: one-context reports READY before the model is loaded. Set %s=%q in CONTEXT of the VM template",
			appliance.VarReportReady, appliance.VarReadyScript, appliance.VarReadyScript, appliance.ReadyScript))
	}
	var err error
	if in.Baked, err = a.baked(); err != nil {
		return in, err
	}
	if in.Facts, err = a.facts(); err != nil {
		return in, err
	}
	if in.Password, err = secret.Password(settings.Password, a.path(appliance.PasswordFile)); err != nil {
		return in, err
	}
	if in.EngineKey, err = secret.Key(a.path(appliance.EngineKeyFile)); err != nil {
		return in, err
	}
	if in.TLS, err = a.certificates(settings, found.Values, in.Facts); err != nil {
		return in, err
	}
	in.Warnings = append(in.Warnings, in.TLS.Warnings...)
	if in.Fit, err = a.fit(in); err != nil {
		return in, &refusal{[]string{err.Error()}}
	}
	in.Warnings = slices.Concat(in.Warnings, in.Fit.Warnings, in.Facts.Warnings(settings.Threads))
	return in, nil
}

// fit weighs the model against the memory.
func (a app) fit(in plan.Input) (fit.Result, error) {
	model, err := a.model()
	if err != nil {
		return fit.Result{}, err
	}
	return fit.Decide(in.Facts.Memory, model, in.Settings.ContextSize)
}

// names are the DNS names of the machine, the one a client should use first. one-context
// gives the machine its name only after the first configure.
func names(settings appliance.Settings, values map[string]string, facts machine.Facts) []string {
	var known []string
	own := cmp.Or(facts.Hostname, machine.Certifiable(values[appliance.VarHostname]))
	for _, name := range []string{settings.Domain, own} {
		if name != "" {
			known = append(known, name)
		}
	}
	if len(known) == 0 {
		known = []string{appliance.Name}
	}
	return known
}

// addresses are those the machine has, and those the context gives it.
func addresses(values map[string]string, facts machine.Facts) []netip.Addr {
	return slices.Concat(vmcontext.Addresses(values), facts.Addresses)
}

func (a app) applyPlan(ctx context.Context, in plan.Input, wanted plan.Plan) (apply.Outcome, error) {
	owners, err := a.owners()
	if err != nil {
		return apply.Outcome{}, err
	}
	target := apply.Target{
		Root: a.root, Owners: owners, CheckProxy: a.checkProxy, Units: a.units,
		Starting: func() error { return a.store().Save(describe(in, appliance.ConfigureStarted)) },
	}
	return target.Apply(ctx, wanted)
}

// conclude stores the success, unless nothing is to be proven and it was stored before.
func (a app) conclude(ctx context.Context, in plan.Input, outcome apply.Outcome, source string, log *logfile.Log) error {
	present, err := a.store().Load()
	if err != nil {
		return err
	}
	if !outcome.Proving && applied(present.Stage) && a.store().Complete(present) {
		if !outcome.Changed {
			return nil
		}
		next := describe(in, present.Stage)
		next.LastError = present.LastError
		return a.noteCertificate(ctx, in.TLS, next, log)
	}
	for _, warning := range in.Warnings {
		log.Warn("%s", warning)
	}
	log.Info("configured from %s: model %s, context of %d tokens, %d threads", source, in.Baked.ModelID, in.Fit.ContextSize, in.Threads())
	if err := a.store().Save(describe(in, appliance.ConfigureSuccess)); err != nil {
		return err
	}
	if outcome.Proving {
		return nil // bootstrap has been told
	}
	return a.units.TryRestart(ctx, appliance.BootstrapUnit)
}

// applied says whether a stage means that the files on disk are those of the last context.
func applied(stage string) bool {
	switch stage {
	case appliance.ConfigureSuccess, appliance.BootstrapStarted, appliance.BootstrapSuccess, appliance.BootstrapFailure:
		return true
	}
	return false
}

func describe(in plan.Input, stage string) status.Status {
	return status.Status{
		Stage: stage, Host: host(in), Model: in.Baked.ModelID,
		ContextSize: in.Fit.ContextSize, Threads: in.Threads(), Warnings: in.Warnings,
		Certificate: describeCertificate(in.TLS),
	}
}

// host is where a client connects: the domain, else an address, because a bare host name
// is rarely known outside the machine.
func host(in plan.Input) string {
	if in.Settings.Domain != "" {
		return in.Settings.Domain
	}
	if known := addresses(in.Context, in.Facts); len(known) > 0 {
		return known[0].String()
	}
	return names(in.Settings, in.Context, in.Facts)[0]
}
