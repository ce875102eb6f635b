package lint

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"
)

// Result holds the findings in a file, and counts what was checked.
type Result struct {
	Findings                []Finding
	Apps, Templates, Inputs int
}

// Lint returns the mistakes in a file, sorted by line; see Examine.
func Lint(name string, content []byte) ([]Finding, error) {
	result, err := Examine(name, content)
	return result.Findings, err
}

// Examine checks a file. Its kind follows from its name and content: a list or an entry of a
// "one" marketplace in JSON, an app or metadata.yaml of a marketplace's repository in YAML, or
// a VM template in plain syntax. The error says that it is none of these.
func Examine(name string, content []byte) (Result, error) {
	l := &linter{file: name}
	extension := strings.ToLower(filepath.Ext(name))
	switch {
	case extension == ".yaml" || extension == ".yml":
		l.yamlStyle(content)
		root, line, err := l.parseYAML(content)
		if err != nil {
			l.add(line, ruleSyntax, "it is not valid YAML: %v", err)
			return l.done(), nil
		}
		return l.document(root)
	case extension == ".json" || bytes.HasPrefix(bytes.TrimSpace(content), []byte("{")):
		root, line, err := parseJSON(content)
		if err != nil {
			l.add(line, ruleSyntax, "it is not valid JSON: %v", err)
			return l.done(), nil
		}
		return l.document(root)
	case bytes.Contains(content, []byte("=")):
		l.plainTemplate(content, facts{})
		return l.done(), nil
	}
	return Result{}, fmt.Errorf("lint %s: it is none of what is linted: %s", name, forms)
}

const forms = "a list or an entry of a marketplace in JSON, an app or metadata.yaml of a marketplace's repository, a VM template in plain syntax"

// Template returns the mistakes in a VM template of this appliance in plain syntax, the form in
// which an app carries it in VMTEMPLATE64 or APPTEMPLATE64.
func Template(name string, content []byte) []Finding {
	l := &linter{file: name}
	l.plainTemplate(content, facts{copilot: true})
	return l.done().Findings
}

func (l *linter) plainTemplate(content []byte, f facts) {
	attributes, line, err := parseTemplate(content)
	if err != nil {
		l.add(line, ruleSyntax, "OpenNebula cannot parse it: %v", err)
		return
	}
	l.repeated(attributes, "")
	l.template(1, attributes, f)
}

func (l *linter) document(root *node) (Result, error) {
	l.duplicateKeys(root)
	switch {
	case root.get("appliances") != nil:
		l.list(root.get("appliances"))
	case root.get(":app") != nil || filepath.Base(l.file) == "metadata.yaml":
		l.metadata(root)
	case root.get("_id") != nil || root.get("files") != nil:
		l.entry(root)
	case root.get("images") != nil || root.get("opennebula_template") != nil || root.get("opennebula_version") != nil:
		l.app(root)
	default:
		return Result{}, fmt.Errorf("lint %s: it is none of what is linted: %s", l.file, forms)
	}
	return l.done(), nil
}

// repeated finds single-valued attributes that occur twice: OpenNebula keeps both.
func (l *linter) repeated(attributes []attribute, path string) {
	seen := map[string]int{}
	for _, a := range attributes {
		if a.vector {
			l.repeated(a.members, a.name+"/")
			continue
		}
		if first, twice := seen[a.name]; twice {
			l.add(a.line, ruleDuplicateKey, "%s%s is in line %d already", path, a.name, first)
			continue
		}
		seen[a.name] = a.line
	}
}

// yamlStyle finds what the yamllint job of the community's repository refuses.
func (l *linter) yamlStyle(content []byte) {
	for i, line := range bytes.Split(content, []byte("\n")) {
		if len(line) > 0 && bytes.HasSuffix(line, []byte(" ")) || bytes.HasSuffix(line, []byte("\t")) || bytes.HasSuffix(line, []byte("\r")) {
			l.add(i+1, ruleYAMLStyle, "the line ends in a blank")
		}
	}
	lines := bytes.Count(content, []byte("\n"))
	switch {
	case !bytes.HasSuffix(content, []byte("\n")):
		l.add(lines+1, ruleYAMLStyle, "the file does not end in a newline")
	case bytes.HasSuffix(content, []byte("\n\n")):
		l.add(lines, ruleYAMLStyle, "the file ends in an empty line")
	}
}
