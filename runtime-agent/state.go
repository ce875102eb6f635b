package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/filelock"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/fim"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/plan"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/status"
)

// lockDirectory is locked by commands that change files of the machine, or its status. Only
// root can open it: whoever can open a lock can hold it.
const lockDirectory = appliance.StateDir + "/lock"

// state is the stored status of the machine, and the lock under which it changes.
type state struct{ status.Store }

// lock waits for the other commands: none may overwrite what another one stores.
func (s state) lock(ctx context.Context) (release func() error, err error) {
	return waitForLock(ctx, filepath.Join(s.Root, lockDirectory))
}

// waitForLock locks a directory of this machine once no other run of this program holds it.
func waitForLock(ctx context.Context, directory string) (release func() error, err error) {
	if err := os.MkdirAll(filepath.Dir(directory), 0o755); err != nil {
		return nil, err
	}
	if err := os.Mkdir(directory, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	lock, err := filelock.WaitDirectory(ctx, directory)
	if err != nil {
		return nil, err
	}
	return lock.Release, nil
}

// change updates the status.
func (s state) change(ctx context.Context, edit func(*status.Status) error) error {
	release, err := s.lock(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = release() }()
	present, err := s.Load()
	if err != nil {
		return err
	}
	if err := edit(&present); err != nil {
		return err
	}
	return s.Save(present)
}

// configureFailed stores the failure and keeps the rest. The caller holds the lock.
func (s state) configureFailed(reason error) error {
	// A damaged document is replaced: there is nothing to keep in it.
	present, _ := s.Load()
	present.Stage, present.LastError, present.Mistakes = appliance.ConfigureFailure, reason.Error(), nil
	var refused *refusal
	if errors.As(reason, &refused) {
		present.Mistakes = refused.mistakes
	}
	present = present.Public()
	err := s.Save(present)
	return errors.Join(err, writeReport(s.Root, present))
}

// applied reports whether a stage means that the files on disk are those of the last context.
func applied(stage string) bool {
	switch stage {
	case appliance.ConfigureSuccess, appliance.BootstrapStarted, appliance.BootstrapSuccess, appliance.BootstrapFailure:
		return true
	}
	return false
}

// imageOf returns what users are told of the image.
func imageOf(b appliance.Baked) *status.Image {
	return &status.Image{Appliance: b.ApplianceVersion, LocalAI: b.LocalAIVersion, Model: b.ModelName, Quantization: b.Quantization}
}

func describe(in plan.Input, stage string) status.Status {
	return status.Status{
		Stage: stage, Host: host(in), Image: imageOf(in.Baked), Model: in.Baked.ModelID,
		ContextSize: in.Fit.ContextSize, CacheTokens: in.Fit.CacheTokens, Threads: in.Threads(), Speed: in.Speed, Warnings: in.Warnings,
		Autocomplete: fim.Template(in.FIM),
		Keys:         appliance.KeyNames(in.Settings.Keys), Certificate: describeCertificate(in.TLS),
	}
}
