package lint

import (
	"slices"
	"strings"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/storedtext"
)

// openNebulaTemplate checks the VM template of an app, as YAML or as JSON inside a string.
func (l *linter) openNebulaTemplate(n *node) {
	given := n.get("opennebula_template")
	if given.empty() || typeOf(n) == typeService {
		return
	}
	if given.kind == text {
		read, _, err := parseJSON([]byte(given.text))
		if err != nil {
			l.add(given.line, ruleSyntax, "opennebula_template is not JSON: %v", err)
			return
		}
		l.duplicateKeys(read.at(given.line))
		given = read
	}
	if given.kind != mapping {
		l.add(given.line, ruleSyntax, "opennebula_template is not a mapping")
		return
	}
	l.template(given.line, l.attributes(given), facts{
		arch: n.get("os-arch").str(), inference: isInference(n), role: typeOf(n) == typeTemplate,
	})
}

// at sets the line of a value that was parsed from inside a string to the line of that string.
func (n *node) at(line int) *node {
	n.line = line
	for i := range n.members {
		n.members[i].line = line
		n.members[i].value.at(line)
	}
	for _, item := range n.items {
		item.at(line)
	}
	return n
}

// attributes returns the attributes that the driver of a "one" marketplace makes of a template
// (its template_to_str). The driver puts values between quotes without escaping them.
func (l *linter) attributes(n *node) []attribute {
	var attributes []attribute
	for _, m := range n.members {
		name := strings.ToUpper(m.name)
		switch m.value.kind {
		case mapping:
			attributes = append(attributes, l.vector(name, m.line, m.value))
		case sequence:
			for _, item := range m.value.items {
				if item.kind != mapping {
					l.add(item.line, ruleNested, "%s is a list of something else than vectors", name)
					continue
				}
				attributes = append(attributes, l.vector(name, item.line, item))
			}
		default:
			attributes = append(attributes, attribute{name: name, line: m.line, value: l.value(name, m.value)})
		}
	}
	return attributes
}

func (l *linter) vector(name string, line int, n *node) attribute {
	a := attribute{name: name, line: line, vector: true}
	for _, m := range n.members {
		member := strings.ToUpper(m.name)
		if slices.Contains([]kind{mapping, sequence}, m.value.kind) {
			l.add(m.line, ruleNested, "%s/%s is nested twice", name, member)
			continue
		}
		a.members = append(a.members, attribute{name: member, line: m.line, value: l.value(name+"/"+member, m.value)})
	}
	return a
}

// value returns the text that oned receives.
func (l *linter) value(path string, n *node) string {
	if n.kind != text {
		l.add(n.line, ruleNotString, "%s is %s, which is not a string: the driver drops the whole template", path, n.str())
	}
	unescaped := strings.ReplaceAll(n.str(), `\"`, "")
	if strings.Contains(unescaped, `"`) {
		l.add(n.line, ruleQuote, "%s holds a quote that nobody escapes", path)
	}
	return strings.ReplaceAll(n.str(), `\"`, `"`)
}

// storableValues finds what oned would refuse or change, whatever the input format.
func (l *linter) storableValues(attributes []attribute, path string) {
	for _, a := range attributes {
		if !strings.ContainsFunc(a.name, func(r rune) bool { return r > 0x7F || !isNameByte(byte(r)) }) && a.name != "" {
			l.storableValues(a.members, path+a.name+"/")
			if err := storedtext.CheckQuoted(a.value); err != nil {
				l.add(a.line, ruleUnstorable, "%s%s %v", path, a.name, err)
			}
			continue
		}
		l.add(a.line, ruleUnstorable, "%s%q cannot be the name of an attribute", path, a.name)
	}
}
