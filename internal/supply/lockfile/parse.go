package lockfile

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/gohcl"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// Parse parses the content of a lock file, which messages call name. The error lists every
// mistake with its line.
func Parse(name string, content []byte) (Lock, error) {
	if err := checkBounds(name, content); err != nil {
		return Lock{}, err
	}
	file, mistakes := hclsyntax.ParseConfig(content, name, hcl.InitialPos)
	if mistakes.HasErrors() {
		return Lock{}, listed(mistakes)
	}
	body, mistakes := file.Body.Content(schema())
	var lock Lock
	first := map[place]hcl.Range{}
	for _, block := range body.Blocks {
		input, found := parseBlock(block)
		mistakes = append(mistakes, found...)
		if before, twice := first[input.place()]; twice {
			mistakes = append(mistakes, mistake(block.DefRange,
				"this %s is listed a second time with the same source; the first is on line %d", input.Kind, before.Start.Line))
			continue
		}
		first[input.place()] = block.DefRange
		lock.Inputs = append(lock.Inputs, input)
	}
	if mistakes.HasErrors() {
		return Lock{}, listed(mistakes)
	}
	lock.sort()
	return lock, nil
}

func schema() *hcl.BodySchema {
	var blocks []hcl.BlockHeaderSchema
	for _, kind := range kinds {
		blocks = append(blocks, hcl.BlockHeaderSchema{Type: kind, LabelNames: []string{"name"}})
	}
	return &hcl.BodySchema{Blocks: blocks}
}

func parseBlock(block *hcl.Block) (Input, hcl.Diagnostics) {
	input := Input{Kind: block.Type, Name: block.Labels[0]}
	fields := map[string]any{
		"version": &input.Version, "arch": &input.Arch, "source": &input.Source,
		"license": &input.License, "size": &input.Size, "digest": &input.Digest,
	}
	var known hcl.BodySchema
	for name := range fields {
		known.Attributes = append(known.Attributes, hcl.AttributeSchema{Name: name})
	}
	content, mistakes := block.Body.Content(&known)
	unreadable := map[string]bool{}
	for name, attribute := range content.Attributes {
		if why := decode(attribute.Expr, fields[name]); why != "" {
			unreadable[name] = true
			mistakes = append(mistakes, mistake(attribute.Range, "%s: %s", name, why))
		}
	}
	for _, wrong := range input.check() {
		where := block.DefRange
		if attribute, given := content.Attributes[wrong.field]; given {
			where = attribute.Range
		}
		if !unreadable[wrong.field] {
			mistakes = append(mistakes, mistake(where, "%s: %s", wrong.field, wrong.why))
		}
	}
	return input, mistakes
}

// decode returns why an expression is not a plain value of the type of target, empty if it is
// one.
func decode(expression hcl.Expression, target any) string {
	if len(expression.Variables()) > 0 {
		return "must be a plain value, without variables"
	}
	mistakes := gohcl.DecodeExpression(expression, nil, target)
	if mistakes.HasErrors() {
		return mistakes[0].Detail
	}
	if size, isSize := target.(*int64); isSize && *size == 0 {
		return wrongSize
	}
	return ""
}

func mistake(where hcl.Range, format string, arguments ...any) *hcl.Diagnostic {
	return &hcl.Diagnostic{Severity: hcl.DiagError, Summary: fmt.Sprintf(format, arguments...), Subject: &where}
}

// listed returns an error with one line per mistake, in the order of the file, up to maxMistakes.
func listed(mistakes hcl.Diagnostics) error {
	var lines []error
	for i, m := range sorted(mistakes) {
		if i == maxMistakes {
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
