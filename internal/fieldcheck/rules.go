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

// Rule says what is wrong with the value of a field.
type Rule func(value string) error

func anything(string) error { return nil }

// Set is the rule of a field that holds any text but none.
func Set(value string) error {
	if strings.TrimSpace(value) == "" {
		return errors.New("must be set")
	}
	return nil
}

// OneOf is the rule of a field with two or more choices.
func OneOf(choices ...string) Rule {
	return func(value string) error {
		if slices.Contains(choices, value) {
			return nil
		}
		return fmt.Errorf("must be one of %s, got %q", strings.Join(choices, ", "), value)
	}
}

// Matches is the rule of a field of a pattern; form says to people what that is.
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

// Duration is the rule of a field with a time that must not be zero.
func Duration(value string) error {
	if duration, err := time.ParseDuration(value); err != nil || duration <= 0 {
		return fmt.Errorf(`must be a duration such as "15m", got %q`, value)
	}
	return nil
}

// PathOrURL is the rule of a field that says where a file comes from. Its error repeats no
// value: a URL may hold a password.
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
