package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/atomicfile"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/apply"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/logfile"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/plan"
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
	found, err := vmcontext.Find(c.state.Root, file)
	if err != nil {
		return err
	}
	if unknown := appliance.UnknownNames(found.Values); len(unknown) > 0 {
		c.log.Warn("the context contains variables this image does not know: %s", strings.Join(unknown, ", "))
	}
	settings, err := parseSettings(found.Values)
	if err != nil {
		refused := &refusal{strings.Split(err.Error(), "\n")}
		return errors.Join(refused, c.serveWithout(ctx))
	}
	in, err := c.sources.gather(settings, found)
	var refused *refusal
	if errors.As(err, &refused) {
		_, errApply := c.apply(ctx, in, plan.Refused(in))
		return errors.Join(err, errApply)
	}
	if err != nil {
		return err
	}
	outcome, err := c.apply(ctx, in, plan.Make(in))
	if err != nil {
		return err
	}
	return c.conclude(ctx, in, outcome, found.Source)
}

// applyLastGood applies the context in force once more: what is due since, such as a renewed
// certificate, then differs from the plan.
func (c converger) applyLastGood(ctx context.Context) error {
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
	in, err := c.sources.gather(settings, found)
	if err != nil {
		return err
	}
	before, err := c.state.Load()
	if err != nil {
		return err
	}
	outcome, err := c.apply(ctx, in, plan.Make(in))
	if err != nil {
		return err
	}
	// More than certificates may have changed, such as the number of processors. What is
	// refused stays refused.
	if outcome.Proving && applied(before.Stage) {
		if err := c.conclude(ctx, in, outcome, "the last good context"); err != nil {
			return err
		}
		if before, err = c.state.Load(); err != nil {
			return err
		}
	}
	return c.noteCertificate(ctx, in.TLS, before)
}

// serveWithout keeps the machine serving when its settings are refused: with the last good
// ones if there are any, else with a site that says where to look.
func (c converger) serveWithout(ctx context.Context) error {
	settings, found, err := lastGood(c.state.Root)
	if err != nil {
		return err
	}
	in, err := c.sources.gather(settings, found)
	var refused *refusal
	if err != nil && !errors.As(err, &refused) {
		return err
	}
	wanted := plan.Refused(in)
	if _, errStat := os.Stat(filepath.Join(c.state.Root, appliance.LocalAIEnvFile)); errStat == nil && refused == nil {
		wanted = plan.Make(in)
	}
	_, errApply := c.apply(ctx, in, wanted)
	return errors.Join(err, errApply)
}

func (c converger) apply(ctx context.Context, in plan.Input, wanted plan.Plan) (apply.Outcome, error) {
	owners, err := c.owners()
	if err != nil {
		return apply.Outcome{}, err
	}
	target := apply.Target{
		Root: c.state.Root, Owners: owners, CheckProxy: c.checkProxy, Units: c.units,
		Starting: func() error { return c.state.Save(describe(in, appliance.ConfigureStarted)) },
	}
	return target.Apply(ctx, wanted)
}

// conclude stores the success, unless bootstrap has nothing to check and it was stored before.
func (c converger) conclude(ctx context.Context, in plan.Input, outcome apply.Outcome, source string) error {
	present, err := c.state.Load()
	if err != nil {
		return err
	}
	if !outcome.Proving && applied(present.Stage) && c.state.Complete(present) {
		if !outcome.Changed {
			return nil
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
