// Package systemd is the only place that runs systemctl.
package systemd

import (
	"context"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

const timeout = 60 * time.Second

// Units restarts and reloads the units of the running system.
type Units struct{}

// Reload makes systemd read its unit files again.
func (Units) Reload(ctx context.Context) error { return systemctl(ctx, "daemon-reload") }

// Restart restarts or starts a unit without waiting for it: the unit may be waiting for the
// caller.
func (Units) Restart(ctx context.Context, unit string) error {
	return systemctl(ctx, "restart", "--no-block", unit)
}

// TryRestart restarts a unit if it is running, without waiting for it: the unit may be
// waiting for the caller.
func (Units) TryRestart(ctx context.Context, unit string) error {
	return systemctl(ctx, "try-restart", "--no-block", unit)
}

// TryReload has a unit reload its configuration if it is running.
func (Units) TryReload(ctx context.Context, unit string) error {
	return systemctl(ctx, "try-reload-or-restart", "--no-block", unit)
}

// Signal sends a signal to the processes of a unit, such as "USR1".
func (Units) Signal(ctx context.Context, unit, signal string) error {
	return systemctl(ctx, "kill", "--signal="+signal, unit)
}

// State is what systemd knows about a service.
type State struct {
	// Active is also false while it starts or stops.
	Active bool
	// MainPID is 0 if it does not run.
	MainPID int
}

// State returns the state of a service. One that systemd does not know is not active.
func (Units) State(ctx context.Context, unit string) (State, error) {
	out, err := output(ctx, "show", "--property=ActiveState,MainPID", unit)
	if err != nil {
		return State{}, err
	}
	var state State
	for line := range strings.Lines(out) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		switch name {
		case "ActiveState":
			state.Active = value == "active"
		case "MainPID":
			if state.MainPID, err = strconv.Atoi(value); err != nil {
				return State{}, fmt.Errorf("systemctl show %s: MainPID is %q, not a number", unit, value)
			}
		}
	}
	return state, nil
}

func systemctl(ctx context.Context, args ...string) error {
	_, err := output(ctx, args...)
	return err
}

func output(ctx context.Context, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	command := exec.CommandContext(ctx, "systemctl", args...)
	// The agent's environment may contain context values.
	command.Env = []string{"PATH=/usr/bin:/bin"}
	out, err := command.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("systemctl %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return string(out), nil
}
