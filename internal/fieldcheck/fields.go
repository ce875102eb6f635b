// Package fieldcheck judges the fields of a template, leaves out those whose values Packer
// does not know yet, and lists every mistake at once.
package fieldcheck

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"
)

// Fields gathers what is found in the fields of a template. Its zero value is ready for use.
type Fields struct {
	mistakes []error
	// wrong and unknown are names of fields.
	wrong, unknown []string
}

// Check holds a field to a rule, unless its value is unknown.
func (f *Fields) Check(name, value string, rule Rule) {
	if IsUnknown(value) {
		f.unknown = append(f.unknown, name)
		return
	}
	if err := rule(value); err != nil {
		f.wrong = append(f.wrong, name)
		f.mistakes = append(f.mistakes, fmt.Errorf("%s: %w", name, err))
	}
}

// CheckOptional is Check for a field that may be left empty.
func (f *Fields) CheckOptional(name, value string, rule Rule) {
	if value != "" {
		f.Check(name, value, rule)
	}
}

// CheckEach is Check for every element of a list.
func (f *Fields) CheckEach(name string, values []string, rule Rule) {
	for i, value := range values {
		f.Check(fmt.Sprintf("%s[%d]", name, i), value, rule)
	}
}

// Expect adds a mistake of the named field unless ok is true.
func (f *Fields) Expect(ok bool, name, format string, args ...any) {
	if !ok {
		f.wrong = append(f.wrong, name)
		f.mistakes = append(f.mistakes, fmt.Errorf("%s: %w", name, fmt.Errorf(format, args...)))
	}
}

// Minimum expects a number to be low or more.
func (f *Fields) Minimum(name string, value, low int) {
	f.Expect(value >= low, name, "must be at least %d, got %d", low, value)
}

// Between expects a number from low to high.
func (f *Fields) Between(name string, value, low, high int) {
	f.Expect(low <= value && value <= high, name, "must be a whole number from %d to %d, got %d", low, high, value)
}

// ExactlyOne expects one of the choices to be given; choices lists them for people.
func (f *Fields) ExactlyOne(name, choices string, given ...bool) {
	count := 0
	for _, is := range given {
		if is {
			count++
		}
	}
	f.Expect(count == 1, name, "exactly one of %s must be given, got %d", choices, count)
}

// Known takes note of the unknown ones among fields that may hold any text, by their
// names, and says whether there are none.
func (f *Fields) Known(texts map[string]string) bool {
	before := len(f.unknown)
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		f.Check(name, texts[name], anything)
	}
	return len(f.unknown) == before
}

// Add adds mistakes that were found elsewhere and name their fields; nil is none.
func (f *Fields) Add(mistakes ...error) {
	for _, mistake := range mistakes {
		if mistake != nil {
			f.mistakes = append(f.mistakes, mistake)
		}
	}
}

// Settled says whether the named fields are known and in order.
func (f *Fields) Settled(names ...string) bool {
	return !slices.ContainsFunc(names, func(name string) bool {
		return slices.Contains(f.wrong, name) || slices.Contains(f.unknown, name)
	})
}

// Mistakes are those found so far.
func (f *Fields) Mistakes() []error { return f.mistakes }

// Err is one error with every mistake, or nil.
func (f *Fields) Err() error {
	if len(f.mistakes) == 0 {
		return nil
	}
	return packersdk.MultiErrorAppend(nil, f.mistakes...)
}

// UnknownErr is an error if there are fields whose values Packer does not know although the
// build has run, such as build.ID after a source that has none.
func (f *Fields) UnknownErr() error {
	var errs []error
	for _, name := range f.unknown {
		errs = append(errs, fmt.Errorf("%s: refers to a value that this build does not have", name))
	}
	return errors.Join(errs...)
}
