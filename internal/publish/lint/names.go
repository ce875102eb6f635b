package lint

import (
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/google/uuid"
)

// fileName finds a copy of an app under a file name that is not its id. The servers take the
// file name for the id, and two copies drift apart.
func (l *linter) fileName(n *node) {
	if !n.get("id").empty() {
		return
	}
	base := strings.TrimSuffix(filepath.Base(l.file), filepath.Ext(l.file))
	if uuid.Validate(base) != nil {
		l.add(1, ruleFileName, "the id of the app would be %q", base)
	}
}

// spelling finds one name in several spellings. The display name, in "name", may differ.
func (l *linter) spelling(n *node) {
	spellings := map[string]string{}
	for _, image := range n.get("images").list() {
		l.spelled(spellings, image.get("name"), image.get("name").str())
		l.spelled(spellings, image.get("url"), stem(image.get("url").str()))
	}
	l.spelled(spellings, n.get("logo"), strings.TrimSuffix(path.Base(n.get("logo").str()), ".png"))
}

var (
	separators = strings.NewReplacer("-", "", "_", "", " ", "")
	versioned  = regexp.MustCompile(`-v?\d.*$`)
)

// plain returns the same text for all spellings of a name.
func plain(name string) string { return separators.Replace(strings.ToLower(name)) }

// stem returns the appliance's name from that of an image: "slm-copilot" of
// "https://example.org/slm-copilot-1.0.0.qcow2".
func stem(address string) string { return versioned.ReplaceAllString(path.Base(address), "") }

func (l *linter) spelled(spellings map[string]string, n *node, name string) {
	if n.empty() {
		return
	}
	first, seen := spellings[plain(name)]
	switch {
	case !seen:
		spellings[plain(name)] = name
	case first != name:
		l.add(n.line, ruleSpelling, "%q is spelled %q as well", first, name)
	}
}
