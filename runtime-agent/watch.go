package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/model/fit"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/status"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/systemd"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/watch"
)

// watch brings the backend of the engine back until it is interrupted.
func (a app) watch(ctx context.Context) error {
	if filepath.Clean(a.root) != "/" {
		return fmt.Errorf("%w: watch works on the machine itself, not on --root %s", errUsage, a.root)
	}
	baked, err := a.baked()
	if err != nil {
		return err
	}
	log := a.openLog()
	defer func() { _ = log.Close() }()
	watcher := watch.Watcher{
		Units:         systemd.Units{},
		Engine:        watch.Engine{URL: "http://" + appliance.LocalAIAddress, Model: baked.ModelID, Key: a.engineKey},
		ReloadingFile: appliance.ReloadingFile,
		Pause:         a.pause,
		Log:           log,
		Trouble: func(reason error) {
			if err := a.notice(ctx, reason); err != nil {
				log.Warn("watch: the status does not tell: %v", err)
			}
		},
	}
	watcher.Run(ctx)
	return nil
}

// notice stores what is wrong with an appliance that goes on as it is.
func (a app) notice(ctx context.Context, reason error) error {
	return a.change(ctx, func(present *status.Status) error {
		present.LastError = fmt.Sprintf("%v (%s)", reason, a.now().UTC().Format("2006-01-02 15:04 MST"))
		return nil
	})
}

func (a app) engineKey() (string, error) {
	text, err := os.ReadFile(a.path(appliance.EngineKeyFile))
	return strings.TrimSuffix(string(text), "\n"), err
}

// checkModel is run by the unit of the engine, as its user, before each start.
func (a app) checkModel() error {
	model, err := a.model()
	if err != nil {
		return fmt.Errorf("the engine is not started: %w", err)
	}
	facts, err := a.facts()
	if err != nil {
		return err
	}
	// The memory may be less than when the engine was configured.
	if _, err := fit.Decide(facts.Memory, model, fit.MinContext); err != nil {
		return fmt.Errorf("the engine is not started: %w", err)
	}
	return nil
}
