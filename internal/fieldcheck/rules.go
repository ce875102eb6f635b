package fieldcheck

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Rule returns an error if the value of a field is invalid.
type Rule func(value string) error

func anything(string) error { return nil }

// Set is the rule for a field that must not be empty.
func Set(value string) error {
	if strings.TrimSpace(value) == "" {
		return errors.New("must be set")
	}
	return nil
}

// OneOf returns the rule for a field with two or more choices.
func OneOf(choices ...string) Rule {
	return func(value string) error {
		if slices.Contains(choices, value) {
			return nil
		}
		return fmt.Errorf("must be one of %s, got %q", strings.Join(choices, ", "), value)
	}
}

// Matches returns the rule for a field that must match a pattern; form describes the pattern
// in the error.
func Matches(pattern *regexp.Regexp, form string) Rule {
	return func(value string) error {
		switch {
		case pattern.MatchString(value):
			return nil
		case value == "":
			return errors.New("must be set to " + form)
		}
		return fmt.Errorf("must be %s, got %q", form, value)
	}
}

// Duration is the rule for a field with a duration that must not be zero.
func Duration(value string) error {
	if duration, err := time.ParseDuration(value); err != nil || duration <= 0 {
		return fmt.Errorf(`must be a duration such as "15m", got %q`, value)
	}
	return nil
}

// PathOrURL is the rule for a field with the source of a file. Its error does not contain the
// value: a URL may contain a password.
func PathOrURL(value string) error {
	if !strings.Contains(value, "://") {
		return nil
	}
	u, err := url.Parse(value)
	isHTTP := strings.HasPrefix(value, "http://") || strings.HasPrefix(value, "https://")
	if err != nil || !isHTTP || u.Host == "" {
		return errors.New("must be a path or an http(s) URL")
	}
	return nil
}
