package lint

import "strings"

// list checks the answer of a marketplace's server: all its entries.
func (l *linter) list(entries *node) {
	if entries.kind != sequence {
		l.add(entries.line, ruleSyntax, "appliances is not a list")
		return
	}
	seen := map[string]*node{}
	for _, entry := range entries.items {
		l.entry(entry)
		for _, key := range []*node{entry.get("name"), entry.get("_id").get("$oid")} {
			if key.empty() {
				continue
			}
			if first, twice := seen[key.str()]; twice {
				l.add(key.line, ruleDuplicate, "%q is in line %d already: OpenNebula would take one for the other", key.str(), first.line)
				continue
			}
			seen[key.str()] = key
		}
	}
	for i, entry := range entries.items {
		for _, before := range entries.items[:i] {
			l.sameRelease(before, entry)
		}
	}
}

// sameRelease finds leftovers of one version in the entry of another. A data-only disk, such
// as a model, may be shared by several versions.
func (l *linter) sameRelease(a, b *node) {
	fileA, fileB := system(a, "files"), system(b, "files")
	if fileA == nil || fileB == nil || a.get("version").str() == b.get("version").str() {
		return
	}
	for _, digest := range []string{"md5", "sha256"} {
		if value := fileB.get(digest); !value.empty() && value.str() == fileA.get(digest).str() {
			l.add(value.line, ruleStale, "the versions %s and %s have one %s", a.get("version").str(), b.get("version").str(), digest)
		}
	}
	if time := b.get("creation_time"); !time.empty() && family(a) == family(b) && time.str() == a.get("creation_time").str() {
		l.add(time.line, ruleStale, "the versions %s and %s have one creation_time", a.get("version").str(), b.get("version").str())
	}
}

// family identifies the app that an entry is a version of.
func family(entry *node) string {
	return strings.ReplaceAll(entry.get("name").str(), entry.get("version").str(), "")
}

// system returns the image that contains the operating system.
func system(n *node, key string) *node {
	for _, file := range n.get(key).list() {
		if file.get("type").str() == "OS" {
			return file
		}
	}
	return nil
}
