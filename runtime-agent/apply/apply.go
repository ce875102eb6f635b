// Package apply brings the files of the machine into the planned state and reloads or
// restarts the units that read them.
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

	"golang.org/x/sys/unix"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/atomicfile"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/guardedfile"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/plan"
)

// pendingFile names the units that still have to be reloaded or restarted. It is written
// before the first change and removed after the last, so that the run after a killed one
// completes it, although that run finds no difference in the files.
const pendingFile = appliance.StateDir + "/pending"

// maxPending bounds it, in bytes.
const maxPending = 4096

// Units is what this package needs of systemd.
type Units interface {
	Reload(ctx context.Context) error
	Restart(ctx context.Context, unit string) error
	TryRestart(ctx context.Context, unit string) error
	TryReload(ctx context.Context, unit string) error
}

// Target is a machine, or a directory in its place.
type Target struct {
	// Root is put before every path.
	Root string
	// Owners are the ids of the planned owners; with a nil map the writer owns the files.
	Owners map[string]atomicfile.Owner
	// CheckProxy has nginx check its configuration.
	CheckProxy func(context.Context) error
	Units      Units
	// LeavePending leaves to another run what a killed one has left.
	LeavePending bool
	// Starting is called before the first change after which bootstrap must check again
	// that the model answers.
	Starting func() error
}

// Outcome is what was done.
type Outcome struct {
	// Changed reports whether anything was changed.
	Changed bool
	// Proving reports whether bootstrap was restarted to check again that the model answers.
	Proving bool
}

// Apply changes what differs from the plan. Nothing is replaced unless everything could be
// written, so that a full disk changes nothing; and if nginx refuses its files, the old ones
// are put back and nothing else is touched.
func (t Target) Apply(ctx context.Context, p plan.Plan) (Outcome, error) {
	proxy, err := t.Different(p.Proxy)
	if err != nil {
		return Outcome{}, err
	}
	rest, err := t.Different(p.Rest)
	if err != nil {
		return Outcome{}, err
	}
	missed, err := t.pending()
	if err != nil {
		return Outcome{}, err
	}
	before, left := missed, []string(nil)
	if t.LeavePending {
		left, missed = missed, nil
	}
	if err := t.sweep(p); err != nil {
		return Outcome{}, err
	}
	if len(proxy)+len(rest) == 0 && missed == nil {
		return Outcome{}, nil
	}
	units := union(missed, proxy, rest)
	outcome := Outcome{Changed: true, Proving: slices.Contains(units, appliance.BootstrapUnit)}
	if err := t.makeDirectories(p); err != nil {
		return Outcome{}, err
	}
	if outcome.Proving {
		if err := t.Starting(); err != nil {
			return Outcome{}, err
		}
	}
	if err := t.setPending(append(slices.Clone(units), left...)); err != nil {
		return Outcome{}, err
	}
	if replaced, err := t.replace(ctx, proxy, rest, units); err != nil {
		if !replaced {
			err = errors.Join(err, t.setPending(before))
		}
		return Outcome{}, err
	}
	if err := t.notify(ctx, units); err != nil {
		return outcome, err
	}
	return outcome, t.setPending(left)
}

func (t Target) path(path string) string { return filepath.Join(t.Root, path) }

func (t Target) owner(name string) *atomicfile.Owner {
	if owner, known := t.Owners[name]; known {
		return &owner
	}
	return nil
}

// Different returns the entries that are not as planned.
func (t Target) Different(entries []plan.Entry) ([]plan.Entry, error) {
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

func (t Target) stage(entry plan.Entry) (*atomicfile.Staged, error) {
	if entry.LinkTo != "" {
		return atomicfile.StageLink(entry.LinkTo, t.path(entry.Path))
	}
	return atomicfile.Stage(t.path(entry.Path), entry.Content, entry.Mode, t.owner("root"))
}

// sweep removes what a killed run left next to the planned files.
func (t Target) sweep(p plan.Plan) error {
	failures := []error{atomicfile.Sweep(t.path(pendingFile))}
	for _, entry := range slices.Concat(p.Proxy, p.Rest) {
		failures = append(failures, atomicfile.Sweep(t.path(entry.Path)))
	}
	return errors.Join(failures...)
}

// makeDirectories makes the planned ones, and the parents of files in directories of other
// packages where those are missing.
func (t Target) makeDirectories(p plan.Plan) error {
	for _, entry := range slices.Concat(p.Proxy, p.Rest) {
		if err := os.MkdirAll(filepath.Dir(t.path(entry.Path)), 0o755); err != nil {
			return err
		}
	}
	for i, d := range p.Directories {
		if err := t.makeDirectory(d, belowService(d, p.Directories[:i])); err != nil {
			return fmt.Errorf("make the directory %s: %w", t.path(d.Path), err)
		}
	}
	return nil
}

// belowService reports whether d lies in one of the directories that belong to a service, which
// may have put anything there.
func belowService(d plan.Directory, made []plan.Directory) bool {
	return slices.ContainsFunc(made, func(parent plan.Directory) bool {
		return parent.Owner != "root" && strings.HasPrefix(d.Path, parent.Path+"/")
	})
}

// makeDirectory makes a directory and sets mode and owner of the one it has opened. A link of an
// administrator is followed; one of a service is removed, because it could give the service a
// directory of the system.
func (t Target) makeDirectory(d plan.Directory, untrusted bool) error {
	path, flags := t.path(d.Path), os.O_RDONLY|unix.O_DIRECTORY
	if untrusted {
		flags |= unix.O_NOFOLLOW
		if info, err := os.Lstat(path); err == nil && !info.IsDir() {
			if err := os.Remove(path); err != nil {
				return err
			}
		}
	}
	if err := os.MkdirAll(path, d.Mode); err != nil {
		return err
	}
	directory, err := os.OpenFile(path, flags, 0)
	if err != nil {
		return err
	}
	defer directory.Close()
	// MkdirAll keeps the mode of an existing directory and applies the umask to a new one.
	if err := directory.Chmod(d.Mode); err != nil {
		return err
	}
	if owner := t.owner(d.Owner); owner != nil {
		return directory.Chown(owner.UID, owner.GID)
	}
	return nil
}

// replace puts the entries in place. After an error it reports whether some were replaced, which
// only a disk that fails halfway can cause.
func (t Target) replace(ctx context.Context, proxy, rest []plan.Entry, units []string) (replaced bool, err error) {
	var staged []*atomicfile.Staged
	for _, entry := range slices.Concat(proxy, rest) {
		next, err := t.stage(entry)
		if err != nil {
			return false, errors.Join(err, discard(staged))
		}
		staged = append(staged, next)
	}
	if slices.Contains(units, appliance.NginxUnit) {
		if err := t.replaceProxy(ctx, proxy, staged[:len(proxy)]); err != nil {
			return false, errors.Join(err, discard(staged[len(proxy):]))
		}
		staged = staged[len(proxy):]
	}
	return true, commit(staged)
}

// replaceProxy puts the files of nginx in place, or leaves them as they were.
func (t Target) replaceProxy(ctx context.Context, entries []plan.Entry, staged []*atomicfile.Staged) error {
	var kept []*atomicfile.Kept
	for i, entry := range entries {
		old, err := atomicfile.Keep(t.path(entry.Path))
		if err != nil {
			return errors.Join(err, restore(kept), discard(staged[i:]))
		}
		kept = append(kept, old)
		if err := staged[i].Commit(); err != nil {
			return errors.Join(err, restore(kept), discard(staged[i+1:]))
		}
	}
	if err := t.CheckProxy(ctx); err != nil {
		return errors.Join(err, restore(kept))
	}
	var failures []error
	for _, old := range kept {
		failures = append(failures, old.Drop())
	}
	return errors.Join(failures...)
}

func commit(staged []*atomicfile.Staged) error {
	for i, next := range staged {
		if err := next.Commit(); err != nil {
			return errors.Join(err, discard(staged[i+1:]))
		}
	}
	return nil
}

func discard(staged []*atomicfile.Staged) error {
	var failures []error
	for _, next := range staged {
		failures = append(failures, next.Discard())
	}
	return errors.Join(failures...)
}

func restore(kept []*atomicfile.Kept) error {
	var failures []error
	for _, old := range kept {
		failures = append(failures, old.Restore())
	}
	return errors.Join(failures...)
}

// pending returns nil if the last run reloaded or restarted every unit.
func (t Target) pending() ([]string, error) {
	text, err := guardedfile.Read(t.path(pendingFile), maxPending)
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

// notify has the units read what changed. nginx and the gateway reload, which does not interrupt
// the answers in progress; the engine restarts, and the gateway with it, which may need a new key;
// and bootstrap checks it all again.
func (t Target) notify(ctx context.Context, units []string) error {
	if slices.Contains(units, appliance.LocalAIUnit) {
		// It costs little, and it is not known whether a killed run changed the unit
		// file itself.
		if err := t.Units.Reload(ctx); err != nil {
			return err
		}
		// The engine has not run yet if earlier settings were refused. At boot this joins
		// the start job that is queued anyway.
		if err := t.Units.Restart(ctx, appliance.LocalAIUnit); err != nil {
			return err
		}
		if err := t.Units.TryRestart(ctx, appliance.GatewayUnit); err != nil {
			return err
		}
	} else if slices.Contains(units, appliance.GatewayUnit) {
		if err := t.Units.TryReload(ctx, appliance.GatewayUnit); err != nil {
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
