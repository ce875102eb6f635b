package lint

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
)

// Finding is one mistake.
type Finding struct {
	File string
	// Line is 1-based. For something missing it is the line of the mapping it is missing from.
	Line int
	// Rule is one of the rules in the package documentation.
	Rule string
	// Problem says what is wrong, Fix how to correct it.
	Problem, Fix string
}

func (f Finding) String() string {
	return fmt.Sprintf("%s:%d: %s: %s; %s", f.File, f.Line, f.Rule, f.Problem, f.Fix)
}

// Error returns nil if there are no findings, otherwise an error that lists them all.
func Error(findings []Finding) error {
	var mistakes []error
	for _, f := range findings {
		mistakes = append(mistakes, errors.New(f.String()))
	}
	return errors.Join(mistakes...)
}

// linter collects the findings in one file.
type linter struct {
	file   string
	result Result
}

func (l *linter) add(line int, rule, problem string, arguments ...any) {
	l.result.Findings = append(l.result.Findings, Finding{
		File: l.file, Line: line, Rule: rule, Problem: fmt.Sprintf(problem, arguments...), Fix: fixes[rule],
	})
}

// done sorts the findings by line, and those of one line by rule.
func (l *linter) done() Result {
	slices.SortFunc(l.result.Findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Problem, b.Problem))
	})
	l.result.Findings = slices.Compact(l.result.Findings)
	return l.result
}
