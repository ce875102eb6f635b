package app

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// VersionsBeyond returns the versions to remove so that only the newest keep remain; none
// if keep is 0. published maps the other versions to their creation times, in seconds since
// 1970. The version being published counts as one of those kept, however old it is.
func VersionsBeyond(published map[string]int64, keep int) []string {
	if keep == 0 {
		return nil
	}
	newestFirst := slices.SortedFunc(maps.Keys(published), func(a, b string) int {
		return cmp.Or(cmp.Compare(published[b], published[a]), strings.Compare(b, a))
	})
	return newestFirst[min(keep-1, len(newestFirst)):]
}
