// Package fieldcheck validates the fields of a template, skips those whose values Packer does
// not know yet, and lists every mistake at once.
package fieldcheck

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"
)

// Fields collects the mistakes in the fields of a template. Its zero value is ready for use.
type Fields struct {
	mistakes []error
	// wrong and unknown are names of fields.
	wrong, unknown []string
	// zero are the mistakes of numbers that are 0, which are unknown or wrong.
	zero []error
}

// Check checks a field against a rule, unless its value is unknown.
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

// CheckOptional is Check for a field that may be empty.
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

// Expect adds a mistake in the named field unless ok is true.
func (f *Fields) Expect(ok bool, name, format string, args ...any) {
	if !ok {
		f.wrong = append(f.wrong, name)
		f.mistakes = append(f.mistakes, fmt.Errorf("%s: %w", name, fmt.Errorf(format, args...)))
	}
}

// Minimum requires a number of at least low.
func (f *Fields) Minimum(name string, value, low int) {
	f.Expect(value >= low, name, "must be at least %d, got %d", low, value)
}

// Number is Minimum for a number that may be left out. Packer passes 0 for a number that it
// does not know yet, so 0 is not a mistake before the run, see UnknownErr.
func (f *Fields) Number(name string, value *int, low int) {
	switch {
	case value == nil:
	case *value == 0 && low > 0:
		f.zero = append(f.zero, fmt.Errorf("%s: must be at least %d, got 0", name, low))
	default:
		f.Minimum(name, *value, low)
	}
}

// Between requires a number from low to high.
func (f *Fields) Between(name string, value, low, high int) {
	f.Expect(low <= value && value <= high, name, "must be a whole number from %d to %d, got %d", low, high, value)
}

// ExactlyOne requires that exactly one of the choices is given; choices names them in the
// error.
func (f *Fields) ExactlyOne(name, choices string, given ...bool) {
	count := 0
	for _, is := range given {
		if is {
			count++
		}
	}
	f.Expect(count == 1, name, "exactly one of %s must be given, got %d", choices, count)
}

// Distinct requires that the values of fields differ. Those that are wrong, unknown or empty do not count.
func (f *Fields) Distinct(names, values []string) {
	first := map[string]string{}
	for i, name := range names {
		if values[i] == "" || IsUnknown(values[i]) || !f.Settled(name) {
			continue
		}
		before, twice := first[values[i]]
		f.Expect(!twice, name, "must differ from %s, got %q", before, values[i])
		if !twice {
			first[values[i]] = name
		}
	}
}

// Known records which of the given fields, which may hold any text, have unknown values, and
// reports whether there are none. texts maps field names to values.
func (f *Fields) Known(texts map[string]string) bool {
	before := len(f.unknown)
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		f.Check(name, texts[name], anything)
	}
	return len(f.unknown) == before
}

// Add adds mistakes found elsewhere, which must name their fields; nil is ignored.
func (f *Fields) Add(mistakes ...error) {
	for _, mistake := range mistakes {
		if mistake != nil {
			f.mistakes = append(f.mistakes, mistake)
		}
	}
}

// Settled reports whether the named fields are known and valid.
func (f *Fields) Settled(names ...string) bool {
	return !slices.ContainsFunc(names, func(name string) bool {
		return slices.Contains(f.wrong, name) || slices.Contains(f.unknown, name)
	})
}

// Mistakes returns the mistakes found so far.
func (f *Fields) Mistakes() []error { return f.mistakes }

// Err returns one error with every mistake, or nil.
func (f *Fields) Err() error {
	if len(f.mistakes) == 0 {
		return nil
	}
	return packersdk.MultiErrorAppend(nil, f.mistakes...)
}

// UnknownErr returns an error if Packer still does not know the values of some fields after
// the build has run, such as build.ID after a source that has none, or if a number that must
// not be 0 is.
func (f *Fields) UnknownErr() error {
	errs := slices.Clone(f.zero)
	for _, name := range f.unknown {
		errs = append(errs, fmt.Errorf("%s: refers to a value that this build does not have", name))
	}
	return errors.Join(errs...)
}
