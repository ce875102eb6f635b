// Package apply brings the files of the machine into the planned state and tells the units
// that read them.
package apply

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/atomicfile"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/plan"
)

// pendingFile names the units that have not heard of a change yet. It is written before the
// first change and removed after the last, so that a run that was killed in between is made
// up for by the next one, which finds no difference in the files any more.
const pendingFile = appliance.StateDir + "/pending"

// Units is what systemd does for us.
type Units interface {
	Reload(ctx context.Context) error
	TryRestart(ctx context.Context, unit string) error
	TryReload(ctx context.Context, unit string) error
}

// Target is a machine, or a directory that plays one.
type Target struct {
	// Root is put before every path.
	Root string
	// Owners are the ids of the planned owners; a nil map leaves files to whoever writes.
	Owners map[string]atomicfile.Owner
	// CheckProxy has nginx judge its configuration.
	CheckProxy func(context.Context) error
	Units      Units
	// Starting is called once before the first change.
	Starting func() error
}

// Apply changes what differs from the plan, and reports whether anything did. If nginx
// refuses its files, the old ones are put back and nothing else is touched.
func (t Target) Apply(ctx context.Context, p plan.Plan) (changed bool, err error) {
	proxy, err := t.different(p.Proxy)
	if err != nil {
		return false, err
	}
	rest, err := t.different(p.Rest)
	if err != nil {
		return false, err
	}
	missed, err := t.pending()
	if err != nil {
		return false, err
	}
	if len(proxy)+len(rest) == 0 && missed == nil {
		return false, nil
	}
	if err := t.makeDirectories(p); err != nil {
		return false, err
	}
	if err := t.Starting(); err != nil {
		return false, err
	}
	units := union(missed, proxy, rest)
	if err := t.setPending(units); err != nil {
		return false, err
	}
	if err := t.changeProxy(ctx, proxy); err != nil {
		return false, errors.Join(err, t.setPending(missed))
	}
	for _, entry := range rest {
		if err := t.write(entry); err != nil {
			return true, err
		}
	}
	if err := t.tell(ctx, units); err != nil {
		return true, err
	}
	return true, t.setPending(nil)
}

func (t Target) path(path string) string { return filepath.Join(t.Root, path) }

func (t Target) owner(name string) *atomicfile.Owner {
	if owner, known := t.Owners[name]; known {
		return &owner
	}
	return nil
}

func (t Target) different(entries []plan.Entry) ([]plan.Entry, error) {
	var found []plan.Entry
	for _, entry := range entries {
		same, err := t.same(entry)
		if err != nil {
			return nil, fmt.Errorf("compare with the plan: %w", err)
		}
		if !same {
			found = append(found, entry)
		}
	}
	return found, nil
}

func (t Target) same(entry plan.Entry) (bool, error) {
	if entry.LinkTo != "" {
		return atomicfile.SameLink(entry.LinkTo, t.path(entry.Path)), nil
	}
	return atomicfile.Same(t.path(entry.Path), entry.Content, entry.Mode, t.owner("root"))
}

func (t Target) write(entry plan.Entry) error {
	if entry.LinkTo != "" {
		return atomicfile.Link(entry.LinkTo, t.path(entry.Path))
	}
	return atomicfile.Write(t.path(entry.Path), entry.Content, entry.Mode, t.owner("root"))
}

// makeDirectories makes the planned ones, and the parents of files in directories of other
// packages where those are missing.
func (t Target) makeDirectories(p plan.Plan) error {
	for _, entry := range slices.Concat(p.Proxy, p.Rest) {
		if err := os.MkdirAll(filepath.Dir(t.path(entry.Path)), 0o755); err != nil {
			return err
		}
	}
	for _, d := range p.Directories {
		path := t.path(d.Path)
		if err := os.MkdirAll(path, d.Mode); err != nil {
			return err
		}
		// MkdirAll leaves an old mode alone and obeys the umask for a new one.
		if err := os.Chmod(path, d.Mode); err != nil {
			return err
		}
		if owner := t.owner(d.Owner); owner != nil {
			if err := os.Chown(path, owner.UID, owner.GID); err != nil {
				return err
			}
		}
	}
	return nil
}

// changeProxy writes the files of nginx, or leaves them as they were.
func (t Target) changeProxy(ctx context.Context, entries []plan.Entry) error {
	if len(entries) == 0 {
		return nil
	}
	var before []saved
	for _, entry := range entries {
		old, err := t.save(entry.Path)
		if err == nil {
			before = append(before, old)
			err = t.write(entry)
		}
		if err != nil {
			return errors.Join(err, t.restore(before))
		}
	}
	if err := t.CheckProxy(ctx); err != nil {
		return errors.Join(err, t.restore(before))
	}
	return nil
}

// saved is what was at a path; mode 0 means nothing was.
type saved struct {
	path    string
	mode    fs.FileMode
	content []byte
	linkTo  string
}

func (t Target) save(path string) (saved, error) {
	old := saved{path: path}
	info, err := os.Lstat(t.path(path))
	if errors.Is(err, fs.ErrNotExist) {
		return old, nil
	}
	if err != nil {
		return old, err
	}
	old.mode = info.Mode()
	switch old.mode.Type() {
	case fs.ModeSymlink:
		old.linkTo, err = os.Readlink(t.path(path))
	case 0:
		old.content, err = os.ReadFile(t.path(path))
	default:
		err = fmt.Errorf("%s is neither a regular file nor a link", t.path(path))
	}
	return old, err
}

func (t Target) restore(before []saved) error {
	var failures []error
	for _, old := range before {
		if old.mode == 0 {
			if err := os.Remove(t.path(old.path)); !errors.Is(err, fs.ErrNotExist) {
				failures = append(failures, err)
			}
			continue
		}
		failures = append(failures, t.write(plan.Entry{Path: old.path, Mode: old.mode.Perm(), Content: old.content, LinkTo: old.linkTo}))
	}
	return errors.Join(failures...)
}

// pending returns nil if the last run told every unit.
func (t Target) pending() ([]string, error) {
	text, err := os.ReadFile(t.path(pendingFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return strings.Fields(string(text)), err
}

func (t Target) setPending(units []string) error {
	if units == nil {
		return os.Remove(t.path(pendingFile))
	}
	text := strings.Join(units, "\n") + "\n"
	return atomicfile.Write(t.path(pendingFile), []byte(text), 0o600, t.owner("root"))
}

func union(pending []string, groups ...[]plan.Entry) []string {
	units := append([]string{}, pending...)
	for _, entry := range slices.Concat(groups...) {
		units = append(units, entry.Units...)
	}
	slices.Sort(units)
	return slices.Compact(units)
}

// tell has the units read what changed, those that run. nginx reloads, which keeps the
// answers it is giving; the engine restarts; and bootstrap proves it all again.
func (t Target) tell(ctx context.Context, units []string) error {
	if slices.Contains(units, appliance.LocalAIUnit) {
		// It costs little, and whether the unit file itself was among the changes of
		// a run that was killed is not known.
		if err := t.Units.Reload(ctx); err != nil {
			return err
		}
		if err := t.Units.TryRestart(ctx, appliance.LocalAIUnit); err != nil {
			return err
		}
	}
	if slices.Contains(units, appliance.NginxUnit) {
		if err := t.Units.TryReload(ctx, appliance.NginxUnit); err != nil {
			return err
		}
	}
	if slices.Contains(units, appliance.BootstrapUnit) {
		return t.Units.TryRestart(ctx, appliance.BootstrapUnit)
	}
	return nil
}
