package catalog

import (
	"fmt"
	"slices"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/app"
)

// with returns the list including the entries of one version, and the entries it no longer
// includes: earlier entries of this version and, with keep above 0, all but the newest
// versions of the same app and architecture. An entry that is already listed keeps its
// position, new ones come first.
func (l list) with(entries []Entry, keep int) (list, []listed, error) {
	now := map[string]listed{}
	var kept, gone []listed
	for i := range entries {
		added, err := newListed(&entries[i])
		if err != nil {
			return list{}, nil, err
		}
		now[added.id] = added
		if !l.has(added.id) {
			kept = append(kept, added)
		}
	}
	beyond := l.versionsBeyond(&entries[0], keep)
	for _, e := range l.entries {
		again, listedAlready := now[e.id]
		switch {
		case listedAlready:
			kept = append(kept, again)
		case e.own == nil:
			kept = append(kept, e)
		case e.own.isOfApp(&entries[0]) && (e.own.Version == entries[0].Version || slices.Contains(beyond, e.own.Version)):
			gone = append(gone, e)
		default:
			kept = append(kept, e)
		}
	}
	next := list{kept}
	return next, gone, next.checkNames()
}

func newListed(e *Entry) (listed, error) {
	raw, err := marshal(e)
	return listed{id: e.ID.OID, name: e.Name, raw: raw, own: e}, err
}

// checkNames refuses a name that an entry of somebody else already has: OpenNebula would
// take the two apps for one.
func (l list) checkNames() error {
	ids := map[string]string{}
	for _, e := range l.entries {
		if other, taken := ids[e.name]; taken {
			return fmt.Errorf("the name %q belongs to another app of the list already (%s and %s have it); "+
				"take that out of the list, or give yours another name", e.name, other, e.id)
		}
		ids[e.name] = e.id
	}
	return nil
}

// versionsBeyond returns the versions to remove so that only the newest keep remain of the
// app of entry, that of entry in any case.
func (l list) versionsBeyond(entry *Entry, keep int) []string {
	var published []string
	for _, e := range l.entries {
		if e.own != nil && e.own.isOfApp(entry) {
			published = append(published, e.own.Version)
		}
	}
	return app.VersionsBeyond(published, entry.Version, keep)
}

// isOfApp reports whether e and other are the same app for the same architecture, in any
// version.
func (e *Entry) isOfApp(other *Entry) bool {
	return e.App == other.App && e.OSArch == other.OSArch
}
