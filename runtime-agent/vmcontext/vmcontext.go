// Package vmcontext finds the context of the virtual machine, wherever OpenNebula left it.
package vmcontext

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/guardedfile"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/retry"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/vm/onecontext"
)

// LastGood and LastToken are where configure stores the context it applied last, and its
// token.
const (
	LastGood  = appliance.StateDir + "/context.sh"
	LastToken = appliance.StateDir + "/" + appliance.TokenFile
)

// cloudInitCopy is where cloud-init tells every user of the machine what it was told, the context with
// its secrets as well (https://cloudinit.readthedocs.io/en/latest/explanation/instance-data.html).
const cloudInitCopy = "/run/cloud-init/instance-data.json"

// Hide leaves the copies of the context that others can read to root. root is put before every path.
func Hide(root string) error {
	err := os.Chmod(filepath.Join(root, cloudInitCopy), 0o600)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Found is a context and where it came from.
type Found struct {
	// Values is nil if there is no context at all; the defaults apply then.
	Values map[string]string
	// Source describes the origin for people.
	Source string
	// Warning says why Values are not the current context, if so.
	Warning string
	// Token authenticates this machine to OneGate; empty if there is none. It is a secret.
	Token string
	// blank is true if there was not even the comment that oned writes. Where there has been a
	// context, that is a damage, and not the wish for defaults.
	blank bool
}

// directory is where a context may be that was copied into the machine as files. one-context
// looks there too, after the medium.
const directory = "/context"

// Find returns the context in the named file, or else the one that one-context applied last,
// that on the CONTEXT medium, or that in a directory. If there is none or it cannot be read,
// it returns the last good context. root is put before every path.
//
// say is called for each failure to mount the medium that is followed by another attempt.
func Find(ctx context.Context, root, file string, say func(string)) (Found, error) {
	return find(ctx, root, file, kernel, say)
}

func find(ctx context.Context, root, file string, m mounter, say func(string)) (Found, error) {
	if file != "" {
		found, err := read(root, file)
		return refuseBlank(root, found, err)
	}
	for _, source := range []func() (Found, error){
		func() (Found, error) { return read(root, filepath.Join(root, appliance.ContextCopy)) },
		func() (Found, error) { return readMedium(ctx, root, m, say) },
		// For contexts that come neither on a medium nor as files, such as VMware's.
		func() (Found, error) { return read(root, filepath.Join(root, appliance.EarlyContextCopy)) },
		func() (Found, error) { return read(root, filepath.Join(root, directory, appliance.ContextFile)) },
	} {
		found, err := source()
		found, err = refuseBlank(root, found, err)
		if !errors.Is(err, fs.ErrNotExist) {
			return orLastGood(root, found, err)
		}
	}
	return orLastGood(root, Found{}, fmt.Errorf("find the context, saved by one-context, on a medium labelled %s or in %s: %w",
		appliance.ContextLabel, directory, fs.ErrNotExist))
}

// orLastGood returns found unless there was a failure.
func orLastGood(root string, found Found, failure error) (Found, error) {
	if failure == nil {
		return found, nil
	}
	last, err := FindLastGood(root)
	switch {
	case err == nil && len(last.Values) == 0 && errors.Is(failure, fs.ErrNotExist):
		return Found{Source: "defaults, because there is no context"}, nil
	case err == nil:
		last.Warning = fmt.Sprintf("%v; using the last good context", failure)
		return last, nil
	case !errors.Is(err, fs.ErrNotExist):
		return Found{}, errors.Join(failure, err)
	case errors.Is(failure, fs.ErrNotExist):
		return Found{Source: "defaults, because there is no context"}, nil
	}
	return Found{}, failure
}

// FindLastGood returns the context configure applied last. The error is fs.ErrNotExist if there
// is none.
func FindLastGood(root string) (Found, error) {
	found, err := read(root, filepath.Join(root, LastGood))
	if err == nil && found.blank {
		err = found.emptiness()
	}
	return found, err
}

// refuseBlank passes on what was read, unless it is blank and there has been a context.
func refuseBlank(root string, found Found, err error) (Found, error) {
	if err != nil || !found.blank {
		return found, err
	}
	if last, err := FindLastGood(root); err == nil && len(last.Values) > 0 {
		return Found{}, found.emptiness()
	}
	return found, nil
}

func (f Found) emptiness() error { return fmt.Errorf("read the context: %s is empty", f.Source) }

func read(root, path string) (Found, error) {
	text, err := guardedfile.Read(path, onecontext.MaxSize)
	if err != nil {
		return Found{}, fmt.Errorf("read the context: %w", err)
	}
	values, err := onecontext.Parse(bytes.NewReader(text))
	if err != nil {
		return Found{}, fmt.Errorf("%s: %w", path, err)
	}
	for name, value := range values {
		values[name] = strings.TrimSpace(value) // forms add white space, which is never meant
	}
	return Found{
		Values: values, Source: path, Token: findToken(root, filepath.Dir(path), values),
		blank: len(bytes.TrimSpace(text)) == 0,
	}, nil
}

// mounter mounts a CD-ROM on a directory, and unmounts it.
type mounter struct {
	mount   func(device, dir string) error
	unmount func(dir string) error
	retries retry.Policy
}

// mounting repeats a mount: the first ones after a boot may fail. one-context, too, tries six
// times with a pause of a second (addon-context-linux, issue 247).
var mounting = retry.Policy{Failures: 6, Pause: time.Second, MaxPause: time.Second}

// kernel mounts what oned writes, which is ISO 9660.
var kernel = mounter{
	mount: func(device, dir string) error {
		const flags = unix.MS_RDONLY | unix.MS_NODEV | unix.MS_NOEXEC | unix.MS_NOSUID
		return unix.Mount(device, dir, "iso9660", flags, "")
	},
	unmount: func(dir string) error { return unix.Unmount(dir, unix.MNT_DETACH) },
	retries: mounting,
}

// readMedium mounts the CD-ROM for a moment.
func readMedium(ctx context.Context, root string, m mounter, say func(string)) (found Found, err error) {
	device := filepath.Join(root, "/dev/disk/by-label", appliance.ContextLabel)
	if _, err := os.Stat(device); err != nil {
		return Found{}, fmt.Errorf("find the CONTEXT medium: %w", err)
	}
	dir, err := os.MkdirTemp("", "slm-copilot-context-")
	if err != nil {
		return Found{}, err
	}
	defer os.Remove(dir)
	err = m.retries.Do(ctx, "mounting it", say, func(context.Context) error {
		err := m.mount(device, dir)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, fs.ErrPermission), errors.Is(err, unix.ENOTBLK):
			return fmt.Errorf("mount the CONTEXT medium %s: %w", device, err)
		}
		return retry.Temporary(fmt.Errorf("mount the CONTEXT medium %s: %w", device, err))
	})
	if err != nil {
		return Found{}, fmt.Errorf("read the CONTEXT medium: %w", err)
	}
	defer func() { err = errors.Join(err, m.unmount(dir)) }()
	found, err = read(root, filepath.Join(dir, appliance.ContextFile))
	found.Source = device
	return found, err
}

// addressName matches the context names of the addresses of network cards and aliases.
var addressName = regexp.MustCompile(`^ETH[0-9]+_(ALIAS[0-9]+_)?(IP|IP6|IP6_ULA)$`)

// Addresses returns the network addresses a context assigns. At the first boot they may
// not be up yet.
func Addresses(values map[string]string) []netip.Addr {
	var found []netip.Addr
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if !addressName.MatchString(name) {
			continue
		}
		if address, err := netip.ParseAddr(values[name]); err == nil && address.IsGlobalUnicast() {
			found = append(found, address)
		}
	}
	return found
}
