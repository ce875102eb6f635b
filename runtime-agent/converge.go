package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/atomicfile"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/apply"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/logfile"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/plan"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/status"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/vmcontext"
)

// converger brings the machine into the state its settings ask for: settings become an
// input, the input a plan, the plan files.
type converger struct {
	sources    sources
	state      state
	owners     func() (map[string]atomicfile.Owner, error)
	units      apply.Units
	checkProxy func(context.Context) error
	proxy      proxy
	log        *logfile.Log
}

// applyContext applies the context of the machine, or the one in the named file.
// The caller holds the lock.
func (c converger) applyContext(ctx context.Context, file string) error {
	if err := vmcontext.Hide(c.state.Root); err != nil {
		c.log.Warn("users of the machine can read the context: %v", err)
	}
	found, err := vmcontext.Find(ctx, c.state.Root, file, func(failure string) { c.log.Warn("%s", failure) })
	if err != nil {
		return errors.Join(err, c.serveWithout(ctx))
	}
	if unknown := appliance.UnknownNames(found.Values); len(unknown) > 0 {
		c.log.Warn("the context contains variables this image does not know: %s", strings.Join(unknown, ", "))
	}
	settings, err := c.sources.checked(found.Values)
	if err != nil {
		refused := &refusal{strings.Split(err.Error(), "\n")}
		return errors.Join(refused, c.serveWithout(ctx))
	}
	in, err := c.sources.gather(settings, found)
	var refused *refusal
	if errors.As(err, &refused) {
		_, errApply := c.apply(ctx, plan.Refused(in), describe(in, appliance.ConfigureStarted))
		return errors.Join(err, errApply)
	}
	if err != nil {
		return err
	}
	outcome, err := c.apply(ctx, plan.Make(in), describe(in, appliance.ConfigureStarted))
	if err != nil {
		return err
	}
	return c.conclude(ctx, in, outcome, found.Source)
}

// renewCertificates renews what is due by the context in force. It does not look at the rest of
// the machine, whose number of processors or amount of memory may have changed, and leaves to
// configure what a killed one has left.
func (c converger) renewCertificates(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, configureTimeout)
	defer cancel()
	release, err := c.state.lock(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = release() }()

	settings, found, err := lastGood(c.state.Root)
	if err != nil {
		return err
	}
	facts, err := c.sources.facts()
	if err != nil {
		return err
	}
	chosen, err := c.sources.certificates(settings, found.Values, facts)
	if err != nil {
		return err
	}
	next, err := c.state.Load()
	if err == nil && next.Stage == "" {
		err = errors.New("the status is lost")
	}
	if err != nil {
		return fmt.Errorf("%w; slm-copilot configure writes it again", err)
	}
	target, err := c.target()
	if err != nil {
		return err
	}
	target.LeavePending = true
	if _, err := target.Apply(ctx, plan.Certificates(chosen, hosts(settings, found.Values, facts, chosen), settings.ACMECA)); err != nil {
		return err
	}
	next.Warnings = append(next.Warnings, missing(next.Warnings, chosen.Own.Warnings)...)
	return c.noteCertificate(ctx, chosen, next)
}

// missing returns the warnings that are not among the known ones.
func missing(known, warnings []string) []string {
	return slices.DeleteFunc(slices.Clone(warnings), func(warning string) bool { return slices.Contains(known, warning) })
}

// addWarnings stores and logs what is not known yet, although nothing else has changed.
func (c converger) addWarnings(present status.Status, warnings []string) error {
	added := missing(present.Warnings, status.Status{Warnings: warnings}.Public().Warnings)
	if len(added) == 0 {
		return nil
	}
	for _, warning := range added {
		c.log.Warn("%s", warning)
	}
	present.Warnings = append(present.Warnings, added...)
	return c.state.Save(present)
}

// serveWithout keeps the machine serving when its context is refused or cannot be read: with the
// last good one if there is one, else with a site that says where to look.
func (c converger) serveWithout(ctx context.Context) error {
	settings, found, errLast := lastGood(c.state.Root)
	in, err := c.sources.gather(settings, found)
	var refused *refusal
	if err != nil && !errors.As(err, &refused) {
		return err
	}
	wanted := plan.Refused(in)
	if everConfigured(c.state.Root) {
		if errLast != nil {
			return errLast // what is being served is better than what is left to serve with
		}
		if refused == nil {
			wanted = plan.Make(in)
		}
	}
	_, errApply := c.apply(ctx, wanted, describe(in, appliance.ConfigureStarted))
	return errors.Join(errLast, err, errApply)
}

// apply stores starting, in the stage of a configure, if bootstrap has to check again.
func (c converger) apply(ctx context.Context, wanted plan.Plan, starting status.Status) (apply.Outcome, error) {
	starting.Stage = appliance.ConfigureStarted
	target, err := c.target()
	if err != nil {
		return apply.Outcome{}, err
	}
	target.Starting = func() error { return c.state.Save(starting) }
	return target.Apply(ctx, wanted)
}

func (c converger) target() (apply.Target, error) {
	owners, err := c.owners()
	return apply.Target{Root: c.state.Root, Owners: owners, CheckProxy: c.checkProxy, Units: c.units}, err
}

// conclude stores the success, unless bootstrap has nothing to check and it was stored before.
func (c converger) conclude(ctx context.Context, in plan.Input, outcome apply.Outcome, source string) error {
	present, err := c.state.Load()
	if err != nil {
		c.log.Warn("the status is damaged, and is written again: %v", err)
	}
	if !outcome.Proving && applied(present.Stage) && c.state.Complete(present) {
		if !outcome.Changed {
			return c.addWarnings(present, in.Warnings)
		}
		next := describe(in, present.Stage)
		next.LastError = present.LastError
		return c.noteCertificate(ctx, in.TLS, next)
	}
	for _, warning := range in.Warnings {
		c.log.Warn("%s", warning)
	}
	c.log.Info("configured from %s: model %s, context of %d tokens, %d threads", source, in.Baked.ModelID, in.Fit.ContextSize, in.Threads())
	if err := c.state.Save(describe(in, appliance.ConfigureSuccess)); err != nil {
		return err
	}
	if outcome.Proving {
		return nil // apply has restarted bootstrap
	}
	return c.units.TryRestart(ctx, appliance.BootstrapUnit)
}
