// Package vmcontext finds the context of the virtual machine, wherever OpenNebula left it.
package vmcontext

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/onecontext"
)

// LastGood is where configure keeps the context it applied last.
const LastGood = appliance.StateDir + "/context.sh"

// Found is a context and where it came from.
type Found struct {
	// Values is nil if there is no context at all; the defaults apply then.
	Values map[string]string
	// Source is for people.
	Source string
	// Warning says why Values are not what the cloud says now, if they are not.
	Warning string
}

// Find returns the context in the file that is named, or that one-context applied last, or
// on the CONTEXT medium. If the medium is missing or cannot be read, the last good context
// is better than none. root is put before every path.
func Find(root, file string) (Found, error) {
	if file != "" {
		values, err := parseFile(file)
		return Found{Values: values, Source: file}, err
	}
	current := filepath.Join(root, appliance.ContextCopy)
	values, err := parseFile(current)
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return orLastGood(root, Found{Values: values, Source: current}, err)
	}
	device := filepath.Join(root, "/dev/disk/by-label", appliance.ContextLabel)
	values, err = readMedium(device)
	return orLastGood(root, Found{Values: values, Source: device}, err)
}

// orLastGood returns found unless there was a failure.
func orLastGood(root string, found Found, failure error) (Found, error) {
	if failure == nil {
		return found, nil
	}
	path := filepath.Join(root, LastGood)
	values, err := parseFile(path)
	switch {
	case err == nil:
		return Found{values, path, fmt.Sprintf("%v; using the last good context", failure)}, nil
	case !errors.Is(err, fs.ErrNotExist):
		return Found{}, errors.Join(failure, err)
	case errors.Is(failure, fs.ErrNotExist):
		return Found{Source: "defaults, there is no context"}, nil
	}
	return Found{}, failure
}

// LastGoodValues returns the values configure applied last; nil if there are none.
func LastGoodValues(root string) (map[string]string, error) {
	values, err := parseFile(filepath.Join(root, LastGood))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return values, err
}

func parseFile(path string) (map[string]string, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read the context: %w", err)
	}
	defer file.Close()
	values, err := onecontext.Parse(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return values, nil
}

// readMedium mounts the CD-ROM for a moment. oned writes it as ISO 9660.
func readMedium(device string) (values map[string]string, err error) {
	if _, err := os.Stat(device); err != nil {
		return nil, fmt.Errorf("find the CONTEXT medium: %w", err)
	}
	dir, err := os.MkdirTemp("", "slm-copilot-context-")
	if err != nil {
		return nil, err
	}
	defer os.Remove(dir)
	const flags = unix.MS_RDONLY | unix.MS_NODEV | unix.MS_NOEXEC | unix.MS_NOSUID
	if err := unix.Mount(device, dir, "iso9660", flags, ""); err != nil {
		return nil, fmt.Errorf("mount the CONTEXT medium %s: %w", device, err)
	}
	defer func() { err = errors.Join(err, unix.Unmount(dir, unix.MNT_DETACH)) }()
	return parseFile(filepath.Join(dir, appliance.ContextFile))
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
