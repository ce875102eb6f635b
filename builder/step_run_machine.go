package builder

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"strings"

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
	watch := newWatcher(ui)
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

// consoleLines is how much of the console an error shows.
const consoleLines = 20

// withConsole keeps the console log of a failed machine and shows its end.
func (s *stepRunMachine) withConsole(err error) error {
	content, readErr := os.ReadFile(s.serialLog())
	text := strings.TrimSpace(printable(content))
	if readErr != nil || text == "" {
		return err
	}
	kept := s.config.failedSerialLog()
	if renameErr := os.Rename(s.serialLog(), kept); renameErr != nil {
		return fmt.Errorf("%w\n(and the console log could not be kept: %w)", err, renameErr)
	}
	lines := strings.Split(text, "\n")
	lines = lines[max(0, len(lines)-consoleLines):]
	return fmt.Errorf("%w\nThe machine's console is kept in %s. It ends with:\n  %s", err, kept, strings.Join(lines, "\n  "))
}

// terminalControl is an escape sequence of ECMA-48.
var terminalControl = regexp.MustCompile(`\x1b(\[[0-?]*[ -/]*[@-~]|[^\[])`)

// printable drops what would move the cursor of the reader's terminal: boot loaders
// and kernels write escape sequences and carriage returns.
func printable(console []byte) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || (r >= ' ' && r != 0x7f) {
			return r
		}
		return -1
	}, terminalControl.ReplaceAllString(string(console), ""))
}
