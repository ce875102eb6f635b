package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/retry"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/benchmark"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/logfile"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/probe"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/speed"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/status"
)

// measuring are the attempts to measure a new model, while others use it: for half a day.
var measuring = retry.Policy{Failures: 75, Pause: time.Minute, MaxPause: 10 * time.Minute}

// benchmark measures the speed and shows it.
func (a app) benchmark(ctx context.Context) error {
	log := a.openLog()
	defer func() { _ = log.Close() }()
	result, err := a.measure(ctx, log, func(line string) { fmt.Fprintf(a.stderr, "measuring: %s\n", line) })
	switch {
	case errors.Is(err, benchmark.ErrBusy):
		return fmt.Errorf("%w: nothing is measured while somebody waits for it. Try again later", err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w: run this as root", err)
	case err != nil:
		return err
	}
	for _, part := range result.Lines() {
		fmt.Fprintf(a.stdout, "%-12s %s\n", part[0]+":", status.Line(part[1]))
	}
	for _, warning := range result.Warnings() {
		fmt.Fprintf(a.stdout, "%-12s %s\n", "warning:", warning)
	}
	return nil
}

// benchmarkOnce measures the speed if nobody has measured this model on this machine yet, and waits until
// nobody uses the model.
func (a app) benchmarkOnce(ctx context.Context) error {
	log := a.openLog()
	defer func() { _ = log.Close() }()
	err := measuring.Do(ctx, "measure the speed", func(failed string) { log.Info("benchmark: %s", failed) }, func(ctx context.Context) error {
		present, err := a.state().Load()
		if err != nil || present.Speed != nil {
			return err
		}
		_, err = a.measure(ctx, log, func(string) {})
		if err != nil && !errors.Is(err, benchmark.ErrSlow) {
			return retry.Temporary(err) // it restarts, or is in use
		}
		return err
	})
	if err != nil && ctx.Err() == nil {
		log.Warn("benchmark: the speed is not known: %v; slm-copilot benchmark measures it", err)
	}
	return err
}

// measure measures the speed, stores it and tells everybody.
func (a app) measure(ctx context.Context, log *logfile.Log, say func(line string)) (speed.Result, error) {
	wanted, err := a.benchmarkOf(say)
	if err != nil {
		return speed.Result{}, err
	}
	result, err := wanted.Run(ctx)
	if err != nil {
		return result, err
	}
	if err := a.noteSpeed(ctx, result); err != nil {
		return result, err
	}
	log.Info("benchmark: %s A first turn: %s.", result.Sentence(), result.FirstTurnInWords())
	for _, warning := range result.Warnings() {
		log.Warn("benchmark: %s", warning)
	}
	reportToOneGate(ctx, a.root, log, result.Attributes())
	return result, nil
}

func (a app) benchmarkOf(say func(line string)) (benchmark.Benchmark, error) {
	present, err := a.state().Load()
	if err == nil && !present.Ready() {
		err = errors.New("the appliance is not ready: see slm-copilot status")
	}
	if err != nil {
		return benchmark.Benchmark{}, err
	}
	baked, err := a.serving()
	if err != nil {
		return benchmark.Benchmark{}, err
	}
	header, err := readModel(a.root, baked)
	if err != nil {
		return benchmark.Benchmark{}, err
	}
	facts, err := a.facts()
	if err != nil {
		return benchmark.Benchmark{}, err
	}
	return benchmark.Benchmark{
		Socket: a.path(appliance.GatewaySocket), Root: "/", Of: subject(baked, facts, present.Threads),
		BytesPerToken: header.BytesPerToken(), Features: facts.Processor.Features, Say: say, Asked: a.asked,
	}, nil
}

// asked counts how often anybody has asked the model.
func (a app) asked(ctx context.Context) (float64, error) {
	numbers, err := probe.NumbersOf(ctx, a.path(appliance.GatewaySocket))
	if err != nil {
		return 0, err
	}
	total := 0.0
	for _, route := range []string{appliance.PathChat, appliance.PathCompletions, appliance.PathResponses, appliance.PathMessages} {
		total += numbers.Sum(appliance.MetricReceived, "route", route)
	}
	return total, nil
}

// noteSpeed stores what was measured, unless another model is served meanwhile.
func (a app) noteSpeed(ctx context.Context, result speed.Result) error {
	return a.state().change(ctx, func(present *status.Status) error {
		if !present.Ready() || present.Model != result.Of.Model || present.Threads != result.Of.Threads {
			return errors.New("the configuration changed meanwhile")
		}
		if err := speed.Save(a.path(appliance.SpeedFile), result); err != nil {
			return err
		}
		present.Speed = &result
		present.Warnings = slices.DeleteFunc(present.Warnings, func(warning string) bool { return strings.HasPrefix(warning, speed.WarningPrefix) })
		present.Warnings = append(present.Warnings, result.Warnings()...)
		if _, err := os.Stat(a.path(appliance.ReportFile)); err != nil {
			return nil // bootstrap will write the first one
		}
		return writeReport(a.root, *present)
	})
}
