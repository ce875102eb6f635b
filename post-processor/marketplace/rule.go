package marketplace

import (
	"fmt"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/hclunknown"
)

// rule holds for each of the values of a field.
type rule struct {
	field  string
	values []string
	check  func(string) error
}

func (r rule) mistakes() []error {
	var mistakes []error
	for _, value := range r.values {
		if hclunknown.Is(value) {
			continue
		}
		if err := r.check(value); err != nil {
			mistakes = append(mistakes, fmt.Errorf("%s: %w", r.field, err))
		}
	}
	return mistakes
}

// given is no value for an optional field that is empty.
func given(value string) []string {
	if value == "" {
		return nil
	}
	return []string{value}
}

func orDefault[T comparable](value, standard T) T {
	var zero T
	if value == zero {
		return standard
	}
	return value
}

func listOrDefault(values, standard []string) []string {
	if len(values) == 0 {
		return standard
	}
	return values
}
