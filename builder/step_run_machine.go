package builder

import (
	"context"
	"fmt"

	"github.com/hashicorp/packer-plugin-qemu/builder/qemu"
	"github.com/hashicorp/packer-plugin-sdk/multistep"
	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"
)

// stepRunMachine boots the base image, lets the provisioners work and powers it off.
type stepRunMachine struct {
	*build
	hook packersdk.Hook
}

func (s *stepRunMachine) Run(ctx context.Context, state multistep.StateBag) multistep.StepAction {
	ui := uiOf(state)
	watch := newWatcher(ui, s.build)
	defer watch.close()
	stop := watch.listen()
	defer stop()
	guarded, release := guardSpace(ctx, s.config.partialDirectory(), freeSpace)
	defer release()
	err := s.run(guarded, watch, &provisionHook{build: s.build, next: s.hook, ui: ui})
	if ctx.Err() != nil {
		return multistep.ActionHalt
	}
	if guarded.Err() != nil {
		return fail(state, context.Cause(guarded))
	}
	if err != nil {
		return fail(state, s.withConsole(watch.explain(err)))
	}
	return multistep.ActionContinue
}

// Cleanup has nothing to do: that builder kills its own machine, and its files lie in
// the directory that stepClaimOutput removes.
func (s *stepRunMachine) Cleanup(multistep.StateBag) {}

func (s *stepRunMachine) run(ctx context.Context, ui packersdk.Ui, hook packersdk.Hook) error {
	k, err := newKey()
	if err != nil {
		return err
	}
	raw, err := s.machine(k)
	if err != nil {
		return err
	}
	delegate := new(qemu.Builder)
	if err := prepare(ctx, delegate, raw); err != nil {
		return fmt.Errorf("prepare the machine: %w", err)
	}
	if _, err := delegate.Run(ctx, ui, hook); err != nil {
		return fmt.Errorf("run the machine: %w", err)
	}
	return nil
}

// prepare returns early when ctx ends: the download of a checksum list knows no context.
// It leaves nothing behind, so it may go on by itself.
func prepare(ctx context.Context, delegate *qemu.Builder, raw map[string]any) error {
	finished := make(chan error, 1)
	go func() {
		_, _, err := delegate.Prepare(raw)
		finished <- err
	}()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case err := <-finished:
		return err
	}
}
