package catalog

import (
	"fmt"
	"slices"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/app"
)

// with returns the list with the entries of one version in it, and those it no longer has:
// what this version was before, and with a keep above 0 all but the newest versions of the
// same app and architecture. An entry that is listed already keeps its place, others come
// first.
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

// checkNames keeps an app from taking the name of one that is somebody else's: OpenNebula
// would take the two for one.
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

// versionsBeyond are the versions that have to go so that only the newest keep are left of
// the app of entry. That of entry counts and stays, however old it is.
func (l list) versionsBeyond(entry *Entry, keep int) []string {
	made := map[string]int64{}
	for _, e := range l.entries {
		if e.own != nil && e.own.isOfApp(entry) && e.own.Version != entry.Version {
			made[e.own.Version] = max(made[e.own.Version], e.own.CreationTime)
		}
	}
	return app.VersionsBeyond(made, keep)
}

// isOfApp tells whether e and other are the same app for the same architecture, in whatever
// version.
func (e *Entry) isOfApp(other *Entry) bool {
	return e.App == other.App && e.OSArch == other.OSArch
}
