package cloud

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/opennebula"
)

// checkedBy are the drivers of datastores that look where they copy from.
var checkedBy = []string{"fs", "ceph"}

// alwaysRestricted are what these drivers add to RESTRICTED_DIRS (set_up_datastore in
// OpenNebula's src/datastore_mad/remotes/libfs.sh), in a front-end installed from packages.
var alwaysRestricted = []string{"/var/lib/one/", "/etc/one/"}

// checkSource returns an error if the driver of the datastore will refuse to copy an image from
// path, which it does after the whole upload. The rule is that of check_restricted in libfs.sh:
// SAFE_DIRS go before RESTRICTED_DIRS, and what neither names is allowed.
func checkSource(d opennebula.Datastore, path string) error {
	safe, restricted := d.Template.Get("SAFE_DIRS"), d.Template.Get("RESTRICTED_DIRS")
	if !slices.Contains(checkedBy, d.Template.Get("DS_MAD")) || beginsWithAny(path, strings.Fields(safe)) ||
		!beginsWithAny(path, append(strings.Fields(restricted), alwaysRestricted...)) {
		return nil
	}
	return fmt.Errorf("datastore %q takes no image from %s (its SAFE_DIRS: %q, its RESTRICTED_DIRS: %q): "+
		"bring the image into one of the SAFE_DIRS, or ask an administrator to add its directory to them: onedatastore update %d",
		d.Name, path, safe, restricted, d.ID)
}

// beginsWithAny treats directories as the driver does, as the beginnings of an expression:
// /var/tmpevil begins with /var/tmp.
func beginsWithAny(path string, directories []string) bool {
	return slices.ContainsFunc(directories, func(directory string) bool {
		pattern, err := regexp.Compile("^" + directory)
		return err == nil && pattern.MatchString(path) || strings.HasPrefix(path, directory)
	})
}
