package lint

import (
	"strconv"
	"strings"
)

// kind is the type of a value as OpenNebula's tools see it.
type kind int

const (
	text kind = iota
	number
	other // true, false, null, a time
	mapping
	sequence
)

// node is a JSON or YAML value, with its line.
type node struct {
	line int
	kind kind
	// text is the value of a scalar as written in the file.
	text    string
	members []member
	items   []*node
}

type member struct {
	name  string
	line  int
	value *node
}

// get returns the first member with that name, nil if there is none. n may be nil.
func (n *node) get(name string) *node {
	if n == nil {
		return nil
	}
	for _, m := range n.members {
		if m.name == name {
			return m.value
		}
	}
	return nil
}

// str returns the text of a scalar, and nothing for any other node.
func (n *node) str() string {
	if n == nil || n.kind == mapping || n.kind == sequence {
		return ""
	}
	return n.text
}

// integer returns the value of a whole number.
func (n *node) integer() (int64, bool) {
	if n == nil || n.kind != number {
		return 0, false
	}
	value, err := strconv.ParseInt(n.text, 10, 64)
	return value, err == nil
}

// empty reports whether there is no value, as in "key:" or `key: ""`.
func (n *node) empty() bool {
	switch {
	case n == nil:
		return true
	case n.kind == mapping:
		return len(n.members) == 0
	case n.kind == sequence:
		return len(n.items) == 0
	case n.kind == other:
		return n.text == "" || n.text == "~" || n.text == "null"
	}
	return strings.TrimSpace(n.text) == ""
}

// duplicateKeys finds names that occur twice; parsers silently keep one of them.
func (l *linter) duplicateKeys(n *node) {
	seen := map[string]int{}
	for _, m := range n.members {
		if first, twice := seen[m.name]; twice {
			l.add(m.line, ruleDuplicateKey, "%q is in line %d already", m.name, first)
		} else {
			seen[m.name] = m.line
		}
		l.duplicateKeys(m.value)
	}
	for _, item := range n.items {
		l.duplicateKeys(item)
	}
}
