package community

import (
	"bytes"
	"regexp"
)

// versionHeading matches the heading of a version: "## [1.0.0-0-20261122] - 2026-11-22". It
// does not match Unreleased, which stays on top.
var versionHeading = regexp.MustCompile(`(?m)^## \[?v?([0-9][^\]\s]*)`)

// mergeChangelog inserts the one section of made above those of existing. Nothing existing is
// changed: a version that already has a section keeps it, with what people wrote.
func mergeChangelog(existing, made []byte) []byte {
	if len(bytes.TrimSpace(existing)) == 0 {
		return made
	}
	heading := versionHeading.FindSubmatchIndex(made)
	version, section := made[heading[2]:heading[3]], made[heading[0]:]
	at := len(existing)
	for i, found := range versionHeading.FindAllSubmatchIndex(existing, -1) {
		if bytes.Equal(existing[found[2]:found[3]], version) {
			return existing
		}
		if i == 0 {
			at = found[0]
		}
	}
	before, after := bytes.TrimRight(existing[:at], "\n"), existing[at:]
	merged := append(bytes.Clone(before), "\n\n"...)
	merged = append(merged, bytes.TrimRight(section, "\n")...)
	merged = append(merged, '\n')
	if len(after) > 0 {
		merged = append(append(merged, '\n'), after...)
	}
	return bytes.TrimLeft(merged, "\n")
}
