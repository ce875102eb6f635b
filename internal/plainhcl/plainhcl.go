// Package plainhcl reads HCL files of this project's own that hold nothing but blocks of plain
// values: no variables, no templates, no calls. It refuses what HCL's parser should not be given,
// and lists every mistake of a file in one error.
package plainhcl

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/gohcl"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// MaxMistakes is how many mistakes a person reads.
const MaxMistakes = 100

// Parse parses a file that messages call name, and whose kind they call kind: "a lock file".
func Parse(name, kind string, content []byte) (hcl.Body, error) {
	if err := checkBounds(name, kind, content); err != nil {
		return nil, err
	}
	file, mistakes := hclsyntax.ParseConfig(content, name, hcl.InitialPos)
	if mistakes.HasErrors() {
		return nil, Listed(mistakes)
	}
	return file.Body, nil
}

// Attributes decodes the attributes of a block into targets, which are pointers by name, and
// returns those that the block has. Any other attribute is a mistake, and so is a value that
// does not fit its target; the second result has the names of those.
func Attributes(block *hcl.Block, targets map[string]any) (hcl.Attributes, map[string]bool, hcl.Diagnostics) {
	var known hcl.BodySchema
	for name := range targets {
		known.Attributes = append(known.Attributes, hcl.AttributeSchema{Name: name})
	}
	content, mistakes := block.Body.Content(&known)
	unreadable := map[string]bool{}
	for name, attribute := range content.Attributes {
		if why := decode(attribute.Expr, targets[name]); why != "" {
			unreadable[name] = true
			mistakes = append(mistakes, Mistake(attribute.Range, "%s: %s", name, why))
		}
	}
	return content.Attributes, unreadable, mistakes
}

// decode returns why an expression is not a plain value of the type of target, empty if it is
// one.
func decode(expression hcl.Expression, target any) string {
	if len(expression.Variables()) > 0 {
		return "must be a plain value, without variables"
	}
	if mistakes := gohcl.DecodeExpression(expression, nil, target); mistakes.HasErrors() {
		return mistakes[0].Detail
	}
	return ""
}

// Mistake returns a mistake at a place of a file.
func Mistake(where hcl.Range, format string, arguments ...any) *hcl.Diagnostic {
	return &hcl.Diagnostic{Severity: hcl.DiagError, Summary: fmt.Sprintf(format, arguments...), Subject: &where}
}

// Listed returns an error with one line per mistake, in the order of the file, up to MaxMistakes.
func Listed(mistakes hcl.Diagnostics) error {
	var lines []error
	for i, m := range sorted(mistakes) {
		if i == MaxMistakes {
			lines = append(lines, fmt.Errorf("%s: and %d more mistakes", m.Subject.Filename, len(mistakes)-i))
			break
		}
		lines = append(lines, fmt.Errorf("%s:%d: %s", m.Subject.Filename, m.Subject.Start.Line, cmp.Or(m.Detail, m.Summary)))
	}
	return errors.Join(lines...)
}

func sorted(mistakes hcl.Diagnostics) hcl.Diagnostics {
	slices.SortStableFunc(mistakes, func(a, b *hcl.Diagnostic) int {
		return cmp.Or(cmp.Compare(a.Subject.Start.Byte, b.Subject.Start.Byte), cmp.Compare(a.Summary, b.Summary))
	})
	return mistakes
}
