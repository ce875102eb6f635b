package appliance

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// NamedKey is a key to the API with a name of its own, beside the one password.
type NamedKey struct {
	// Name is what people are shown: 1 to 32 lower-case letters, digits, dots, underscores and hyphens.
	Name string
	// Key is what clients send. It obeys the rules of the password, and has no comma.
	Key string
}

const maxKeys = 64

var keyName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,31}$`)

// namedKeys reads "alice:KEY, ci:KEY". The error joins one for each mistake. It tells entries by their
// places, because what stands for a name may be a key by mistake.
func namedKeys(value string) ([]NamedKey, error) {
	var mistakes []error
	entries := strings.Split(value, ",")
	if len(entries) > maxKeys {
		mistakes = append(mistakes, fmt.Errorf("must be at most %d keys, has %d", maxKeys, len(entries)))
		entries = entries[:maxKeys]
	}
	var keys []NamedKey
	for i, entry := range entries {
		name, key, separated := strings.Cut(entry, ":")
		next := NamedKey{strings.TrimSpace(name), strings.TrimSpace(key)}
		problems := append(next.problems(), next.repeats(keys)...)
		if !separated {
			next, problems = NamedKey{}, []error{errors.New("must be a name, a colon and a key; a comma ends a key")}
		}
		for _, problem := range problems {
			mistakes = append(mistakes, fmt.Errorf("entry %d: %w", i+1, problem))
		}
		keys = append(keys, next)
	}
	return keys, errors.Join(mistakes...)
}

// problems returns what is wrong with a name and its key.
func (k NamedKey) problems() []error {
	var problems []error
	if !keyName.MatchString(k.Name) {
		problems = append(problems, errors.New("the name must have 1 to 32 lower-case letters, digits, dots, underscores and hyphens, and begin with a letter or digit"))
	}
	if k.Name == APIUser {
		problems = append(problems, errors.New("the name must not be "+APIUser+", which goes with the password"))
	}
	if err := checkPassword(k.Key); err != nil {
		problems = append(problems, fmt.Errorf("the key %w", err))
	}
	return problems
}

// repeats returns what a key has in common with those before it.
func (k NamedKey) repeats(before []NamedKey) []error {
	var problems []error
	if i := slices.IndexFunc(before, func(other NamedKey) bool { return k.Name != "" && other.Name == k.Name }); i >= 0 {
		problems = append(problems, fmt.Errorf("the name must not be that of entry %d", i+1))
	}
	if i := slices.IndexFunc(before, func(other NamedKey) bool { return k.Key != "" && other.Key == k.Key }); i >= 0 {
		problems = append(problems, fmt.Errorf("the key must not be that of entry %d", i+1))
	}
	return problems
}

// otherThanPassword returns a mistake for each key that is the password.
func otherThanPassword(s Settings) []error {
	var mistakes []error
	for i, key := range s.Keys {
		if key.Key != "" && key.Key == s.Password {
			mistakes = append(mistakes, fmt.Errorf("%s: entry %d: the key must not be that of %s", VarKeys, i+1, VarPassword))
		}
	}
	return mistakes
}

// KeyNames returns the names of keys, in their order.
func KeyNames(keys []NamedKey) []string {
	var names []string
	for _, key := range keys {
		names = append(names, key.Name)
	}
	return names
}
