package app

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
)

// VersionsBeyond returns the versions to remove so that only the newest keep remain, by
// CompareVersions; none if keep is 0. others are the versions that are published besides
// now, the one being published. now is never removed, and removes none that is newer.
func VersionsBeyond(others []string, now string, keep int) []string {
	if keep == 0 {
		return nil
	}
	versions := append(slices.Clone(others), now)
	slices.SortFunc(versions, func(a, b string) int { return CompareVersions(b, a) })
	versions = slices.Compact(versions)
	beyond := versions[min(keep, len(versions)):]
	return slices.DeleteFunc(slices.Clone(beyond), func(version string) bool { return version == now })
}

var (
	versionPart = regexp.MustCompile(`[0-9]+|[A-Za-z]+|~|\+`)
	leadingV    = regexp.MustCompile(`^[vV]([0-9])`)
)

// CompareVersions orders versions in any format that CheckVersion accepts: numbers by their
// value, and a version before the same one with further numbers, as in "1.0.0" and
// "1.0.0-0-20261122". A version with a word in its place is older, as SemVer has it:
// "1.0.0-rc1" comes before "1.0.0". So is one with a tilde, and one with a plus is newer, as
// Debian has it: "1.0.0~1", "1.0.0", "1.0.0+fix1". A "v" in front of a number means nothing.
func CompareVersions(a, b string) int {
	aParts, bParts := versionParts(a), versionParts(b)
	// The end of a version is newer than a word and older than a number.
	for i := range max(len(aParts), len(bParts)) {
		if order := comparePart(partAt(aParts, i), partAt(bParts, i)); order != 0 {
			return order
		}
	}
	return strings.Compare(a, b)
}

func versionParts(version string) []string {
	return versionPart.FindAllString(leadingV.ReplaceAllString(version, "$1"), -1)
}

func partAt(parts []string, i int) string {
	if i < len(parts) {
		return parts[i]
	}
	return ""
}

func comparePart(a, b string) int {
	number := func(part string) string { return strings.TrimLeft(part, "0") }
	switch {
	case rank(a) != rank(b):
		return cmp.Compare(rank(a), rank(b))
	case rank(a) == rankNumber:
		// A number may have more digits than an integer has room for.
		return cmp.Or(cmp.Compare(len(number(a)), len(number(b))), strings.Compare(number(a), number(b)))
	}
	return strings.Compare(a, b)
}

// Ranks of the kinds of parts, the oldest first.
const (
	rankTilde = iota
	rankWord
	rankEnd
	rankPlus
	rankNumber
)

func rank(part string) int {
	switch {
	case part == "":
		return rankEnd
	case part == "~":
		return rankTilde
	case part == "+":
		return rankPlus
	case part[0] >= '0' && part[0] <= '9':
		return rankNumber
	}
	return rankWord
}
