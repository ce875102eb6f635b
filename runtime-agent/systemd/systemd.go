// Package systemd is the only place that runs systemctl. Nothing here starts a unit that
// is not running: at boot that is systemd's own business, and comes later.
package systemd

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

const timeout = 60 * time.Second

// Units tells units of the running system about changes.
type Units struct{}

// Reload makes systemd read its unit files again.
func (Units) Reload(ctx context.Context) error { return systemctl(ctx, "daemon-reload") }

// TryRestart restarts a unit if it is running, without waiting for it: the caller may hold
// up what the unit waits for.
func (Units) TryRestart(ctx context.Context, unit string) error {
	return systemctl(ctx, "try-restart", "--no-block", unit)
}

// TryReload has a unit read its configuration again if it is running.
func (Units) TryReload(ctx context.Context, unit string) error {
	return systemctl(ctx, "try-reload-or-restart", "--no-block", unit)
}

func systemctl(ctx context.Context, args ...string) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	command := exec.CommandContext(ctx, "systemctl", args...)
	// The agent's environment may hold context values.
	command.Env = []string{"PATH=/usr/bin:/bin"}
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("systemctl %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}
