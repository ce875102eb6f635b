package main

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/model/fit"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/secret"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/status"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/systemd"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/watch"
)

// gatewaySignal tells the gateway that the engine has started: it has read nothing.
const gatewaySignal = "USR1"

// readinessPauses is how many of the app's pauses lie between two looks at whether the appliance
// answers.
const readinessPauses = 5

// watch loads the model again whenever the engine's backend dies, until it is interrupted.
func (a app) watch(ctx context.Context) error {
	if filepath.Clean(a.root) != "/" {
		return fmt.Errorf("%w: watch works on the machine itself, not on --root %s", errUsage, a.root)
	}
	log := a.openLog()
	defer func() { _ = log.Close() }()
	engineKey := func() (string, error) { return secret.Read(a.path(appliance.EngineKeyFile)) }
	modelID := func() (string, error) {
		baked, err := a.serving()
		return baked.ModelID, err
	}
	watcher := watch.Watcher{
		Units:         systemd.Units{},
		Engine:        watch.Engine{URL: "http://" + appliance.LocalAIAddress, Model: modelID, Key: engineKey},
		ReloadingFile: appliance.ReloadingFile,
		Pause:         a.pause,
		Log:           log,
		Started: func() {
			// A gateway that does not run, as during the boot, has nothing to forget.
			_ = systemd.Units{}.Signal(ctx, appliance.GatewayUnit, gatewaySignal)
		},
		Trouble: func(reason error) {
			if err := notice(ctx, a.state(), reason); err != nil {
				log.Warn("watch: store the reason in the status: %v", err)
			}
		},
	}
	readiness := watch.Readiness{
		Ready: func() (bool, error) {
			present, err := a.state().Load()
			return present.Ready(), err
		},
		Answers: a.answers,
		Units:   systemd.Units{},
		Pause:   readinessPauses * a.pause,
		Log:     log,
	}
	go readiness.Run(ctx)
	watcher.Run(ctx)
	return nil
}

// notice stores what is wrong with an appliance that keeps running.
func notice(ctx context.Context, s state, reason error) error {
	return s.change(ctx, func(present *status.Status) error {
		present.LastError = fmt.Sprintf("%v (%s)", reason, s.Now().UTC().Format("2006-01-02 15:04 MST"))
		return nil
	})
}

// checkModel is run by the unit of the engine, as its user, before each start.
func (a app) checkModel(context.Context) error {
	facts, err := a.facts()
	if err != nil {
		return err
	}
	baked, err := a.serving()
	if err != nil {
		return err
	}
	// The memory may be less than when the engine was configured.
	if _, _, err := fitModel(a.root, baked, facts.Memory, fit.MinContext); err != nil {
		return fmt.Errorf("the engine is not started: %w", err)
	}
	return nil
}
