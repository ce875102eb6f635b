package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/probe"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/status"
)

// showStatus succeeds only if the appliance is ready, so that scripts can use the exit status. What
// is stored may be a while old: it asks.
func (a app) showStatus(ctx context.Context) error {
	present, err := a.state().Load()
	if err != nil {
		return err
	}
	fmt.Fprint(a.stdout, present)
	if !present.Ready() {
		return errors.New("not ready")
	}
	// Only root may ask.
	if load, err := probe.LoadOf(ctx, a.path(appliance.GatewaySocket)); err == nil {
		fmt.Fprintf(a.stdout, "%-12s %d being answered, %d waiting\n", "requests:", load.Running, load.Waiting)
	}
	if err := a.answers(ctx); err != nil {
		return fmt.Errorf("not ready: it was, and does not answer now: %w", err)
	}
	return nil
}

// showReport updates the report file, if that is possible, and shows what it contains and whether
// the appliance answers at this moment.
func (a app) showReport(ctx context.Context) error {
	present, err := a.state().Load()
	if err != nil {
		return err
	}
	if present.Stage == "" {
		return errors.New("no report yet: the appliance was never configured")
	}
	content, err := newReport(a.root, present)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return errors.New("the report contains the password: run this as root")
	case err != nil:
		return err
	}
	if err := storeReport(a.root, content); err != nil {
		// What to know is shown all the same, such as on a root that is read-only.
		fmt.Fprintf(a.stderr, "slm-copilot: the file of the report is not up to date: %v\n", err)
	}
	if present.Ready() {
		if err := a.answers(ctx); err != nil {
			content.Silent = err.Error()
		}
	}
	_, err = a.stdout.Write(content.Render())
	return err
}

// showVersion shows what the image contains too, if this is one.
func (a app) showVersion(context.Context) error {
	lines := [][2]string{{"agent", appliance.Version}}
	baked, err := readBaked(a.root)
	switch {
	case err == nil:
		lines = append(lines, imageOf(baked).Lines()...)
		if ids := baked.ModelIDs(); len(ids) > 1 {
			lines = append(lines, [2]string{"models", strings.Join(ids, ", ")})
		}
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	for _, line := range lines {
		fmt.Fprintf(a.stdout, "%-12s %s\n", line[0]+":", status.Line(line[1]))
	}
	return nil
}
