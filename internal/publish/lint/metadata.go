package lint

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// appName matches names that the Makefile of the community's repository can tell from a
// version: it cuts a name at its first digit.
var appName = regexp.MustCompile(`^[a-z]+([-_][a-z]+)*$`)

// shape is the expected type of one place in metadata.yaml.
type shape struct {
	path    string
	mapping bool
	// words are the allowed values, nil for any.
	words []string
}

// metadataShape is the shape of appliances/example/metadata.yaml in the community's
// repository.
var metadataShape = []shape{
	{path: ":app", mapping: true},
	{path: ":app/:name"},
	{path: ":app/:type", words: []string{"service", "distro"}},
	{path: ":app/:os", mapping: true},
	{path: ":app/:os/:type", words: []string{"linux", "freebsd", "windows"}},
	{path: ":app/:os/:base"},
	{path: ":app/:hypervisor", words: []string{"KVM"}},
	{path: ":app/:context", mapping: true},
	{path: ":app/:context/:prefixed", words: []string{"true", "false"}},
	{path: ":app/:context/:params", mapping: true},
	{path: ":one", mapping: true},
	{path: ":one/:template", mapping: true},
	{path: ":one/:template/NAME"},
	{path: ":one/:template/TEMPLATE", mapping: true},
	{path: ":one/:datastore_name"},
	{path: ":one/:timeout"},
	{path: ":infra", mapping: true},
	{path: ":infra/:disk_format", words: []string{"qcow2"}},
	{path: ":infra/:apps_path"},
}

// metadata checks what the tests of the community's repository read: a value that is not where
// they look is null to them.
func (l *linter) metadata(root *node) {
	l.result.Apps++
	if root.kind != mapping {
		l.add(root.line, ruleMetadataShape, "the file is not a mapping")
		return
	}
	for _, s := range metadataShape {
		l.shape(root, s)
	}
	for _, m := range root.members {
		if !slices.Contains([]string{":app", ":one", ":infra"}, m.name) {
			l.add(m.line, ruleMetadataShape, "nobody reads %s at the top", m.name)
		}
	}
	app := root.get(":app")
	if name := app.get(":name"); !name.empty() {
		if !appName.MatchString(name.str()) {
			l.add(name.line, ruleSpelling, "the name %q has other characters than lower-case letters and hyphens", name.str())
		}
		folder := filepath.Base(filepath.Dir(l.file))
		if folder != name.str() && plain(folder) == plain(name.str()) {
			l.add(name.line, ruleSpelling, "the name is %q, that of the directory %q", name.str(), folder)
		}
	}
	if params := app.get(":context").get(":params"); params != nil {
		for _, m := range params.members {
			l.param(m)
		}
	}
	template := root.get(":one").get(":template").get("TEMPLATE")
	if template.get("DISK") != nil {
		l.add(template.get("DISK").line, ruleDisk, "a DISK is in the template of the test machine")
	}
}

func (l *linter) param(m member) {
	switch {
	case m.value.kind == mapping || m.value.kind == sequence:
		l.add(m.line, ruleMetadataShape, "%s is not a string", m.name)
	case strings.ContainsAny(m.value.str(), `,"'`):
		l.add(m.line, ruleMetadataParams, "%s holds a comma or a quote", m.name)
	}
}

func (l *linter) shape(root *node, s shape) {
	n, line := root, root.line
	keys := strings.Split(s.path, "/")
	for i, key := range keys {
		next := n.get(key)
		if next == nil {
			// If the parent is missing as well, that is reported separately.
			if i == len(keys)-1 && n.kind == mapping {
				l.add(line, ruleMetadataShape, "%s is missing", s.path)
			}
			return
		}
		n, line = next, next.line
	}
	isMapping := n.kind == mapping
	switch {
	case s.mapping && !isMapping && !n.empty():
		l.add(n.line, ruleMetadataShape, "%s is not a mapping", s.path)
	case !s.mapping && (isMapping || n.kind == sequence || n.empty()):
		l.add(n.line, ruleMetadataShape, "%s is not a string", s.path)
	case s.words != nil && !slices.Contains(s.words, n.str()) && (n.kind != other || !slices.Contains(s.words, strings.ToLower(n.str()))):
		l.add(n.line, ruleMetadataShape, "%s is %q, not %s", s.path, n.str(), strings.Join(s.words, " or "))
	}
}
