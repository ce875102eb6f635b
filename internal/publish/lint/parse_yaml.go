package lint

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"

	"gopkg.in/yaml.v3"
)

// parseYAML parses the first document.
func (l *linter) parseYAML(content []byte) (n *node, line int, err error) {
	var document yaml.Node
	if err := yaml.Unmarshal(content, &document); err != nil {
		return nil, errorLine(err), err
	}
	if len(document.Content) != 1 {
		return nil, 1, errors.New("the file is empty")
	}
	n, err = l.fromYAML(document.Content[0], 0)
	return n, 1, err
}

var yamlLine = regexp.MustCompile(`line (\d+)`)

func errorLine(err error) int {
	if found := yamlLine.FindStringSubmatch(err.Error()); found != nil {
		if line, err := strconv.Atoi(found[1]); err == nil {
			return line
		}
	}
	return 1
}

func (l *linter) fromYAML(from *yaml.Node, depth int) (*node, error) {
	if depth > maxDepth {
		return nil, errTooDeep
	}
	n := &node{line: from.Line, text: from.Value}
	switch from.Kind {
	case yaml.MappingNode:
		n.kind = mapping
		for i := 0; i+1 < len(from.Content); i += 2 {
			key := from.Content[i]
			value, err := l.fromYAML(from.Content[i+1], depth+1)
			if err != nil {
				return nil, err
			}
			if key.Kind != yaml.ScalarNode {
				return nil, fmt.Errorf("line %d: a key is not a string", key.Line)
			}
			n.members = append(n.members, member{key.Value, key.Line, value})
		}
	case yaml.SequenceNode:
		n.kind = sequence
		for _, item := range from.Content {
			value, err := l.fromYAML(item, depth+1)
			if err != nil {
				return nil, err
			}
			n.items = append(n.items, value)
		}
	case yaml.AliasNode:
		// OpenNebula's servers use Ruby, whose safe loader refuses aliases.
		l.add(from.Line, ruleYAMLAlias, "*%s refers to another place", from.Value)
		n.text = from.Alias.Value
	default:
		n.kind = scalarKind(from)
	}
	return n, nil
}

// Plain scalars that YAML 1.1, which Ruby and Python implement, does not read as text,
// although YAML 1.2 does.
var (
	booleans11 = regexp.MustCompile(`^(yes|Yes|YES|no|No|NO|on|On|ON|off|Off|OFF)$`)
	numbers11  = regexp.MustCompile(`^[-+]?[0-9][0-9_,]*(:[0-5]?[0-9])*(\.[0-9_]*)?$`)
)

func scalarKind(from *yaml.Node) kind {
	quoted := from.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0
	switch {
	case quoted:
		return text
	case from.Tag == "!!int", from.Tag == "!!float":
		return number
	case from.Tag != "!!str", booleans11.MatchString(from.Value):
		return other
	case numbers11.MatchString(from.Value):
		return number
	}
	return text
}
