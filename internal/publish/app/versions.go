package app

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// VersionsBeyond are the versions that have to go so that the newest keep are left; with a
// keep of 0 none. published holds the others and when each was made, in seconds since 1970;
// the version that is being published counts and stays, however old it is.
func VersionsBeyond(published map[string]int64, keep int) []string {
	if keep == 0 {
		return nil
	}
	newestFirst := slices.SortedFunc(maps.Keys(published), func(a, b string) int {
		return cmp.Or(cmp.Compare(published[b], published[a]), strings.Compare(b, a))
	})
	return newestFirst[min(keep-1, len(newestFirst)):]
}
