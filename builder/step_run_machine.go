package builder

import (
	"context"
	"fmt"

	"github.com/hashicorp/packer-plugin-qemu/builder/qemu"
	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/diskspace"
)

// stepRunMachine boots the base image, runs the provisioners and powers the machine off. It
// needs no Cleanup: the builder of packer-plugin-qemu kills its machine, and stepLockOutput
// removes the files.
type stepRunMachine struct {
	*build
	hook packersdk.Hook
}

func (s *stepRunMachine) Run(ctx context.Context) error {
	watch := newWatcher(s.ui, s.build)
	defer watch.close()
	stop := watch.listen()
	defer stop()
	guarded, release := guardSpace(ctx, s.config.partialDirectory(), diskspace.Free)
	defer release()
	err := s.run(guarded, watch, &provisionHook{build: s.build, next: s.hook})
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if guarded.Err() != nil {
		return context.Cause(guarded)
	}
	if err != nil {
		return s.withConsole(watch.explain(err))
	}
	return nil
}

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

// prepare returns early when ctx ends, because Prepare may download a checksum list and
// takes no context. The abandoned call leaves nothing behind, so it may finish on its own.
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
