package main

import (
	"context"
	"errors"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/onegate"
)

// configureTimeout is generous for work of a second; one-context releases its lock after two
// minutes.
const configureTimeout = 100 * time.Second

// configure applies the context. If it cannot, the last good configuration stays as it is.
func (a app) configure(ctx context.Context, contextFile string) error {
	ctx, cancel := context.WithTimeout(ctx, configureTimeout)
	defer cancel()
	state := a.state()
	release, err := state.lock(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = release() }()
	log := a.openLog()
	defer func() { _ = log.Close() }()

	if err := a.converger(log).applyContext(ctx, contextFile); err != nil {
		log.Error("configure: %v", err)
		reportToOneGate(ctx, a.root, log, onegate.NotReady())
		return errors.Join(errors.New("the context was not applied, for the reasons above"), state.configureFailed(err))
	}
	return nil
}
