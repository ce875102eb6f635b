package app

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/storedtext"
)

// Text returns the template in OpenNebula's plain syntax, in alphabetical order. It is
// valid only if Check passes; an app carries it in VMTEMPLATE64.
func (t VMTemplate) Text() string {
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(t.Attributes)) {
		text.WriteString(assignment(name, t.Attributes[name]) + "\n")
	}
	for _, name := range slices.Sorted(maps.Keys(t.Vectors)) {
		for _, vector := range t.Vectors[name] {
			var members []string
			for _, member := range slices.Sorted(maps.Keys(vector)) {
				members = append(members, "  "+assignment(member, vector[member]))
			}
			text.WriteString(name + "=[\n" + strings.Join(members, ",\n") + " ]\n")
		}
	}
	return text.String()
}

// assignment escapes quotes, the only character that has an escape.
func assignment(name, value string) string {
	return name + `="` + strings.ReplaceAll(value, `"`, `\"`) + `"`
}

// namePattern matches what oned's parser accepts as a name (template_parser.l).
var namePattern = regexp.MustCompile(`^[A-Za-z0-9_]+$`)

// Check returns an error that lists each name and value oned would change or refuse.
func (t VMTemplate) Check() error {
	var mistakes []error
	check := func(path, name, value string) {
		if !namePattern.MatchString(name) {
			mistakes = append(mistakes, fmt.Errorf("%s: a name must be of letters, digits and _", path))
		}
		if err := storedtext.CheckQuoted(value); err != nil {
			mistakes = append(mistakes, fmt.Errorf("%s: %w", path, err))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(t.Attributes)) {
		check(name, name, t.Attributes[name])
	}
	for _, name := range slices.Sorted(maps.Keys(t.Vectors)) {
		check(name, name, "")
		for _, vector := range t.Vectors[name] {
			for _, member := range slices.Sorted(maps.Keys(vector)) {
				check(name+"/"+member, member, vector[member])
			}
		}
	}
	return errors.Join(mistakes...)
}

// MarshalJSON writes attributes and vectors as the members of one object; a vector that
// occurs several times becomes a list.
func (t VMTemplate) MarshalJSON() ([]byte, error) {
	members := map[string]any{}
	for name, value := range t.Attributes {
		members[name] = value
	}
	for name, vectors := range t.Vectors {
		members[name] = vectors
		if len(vectors) == 1 {
			members[name] = vectors[0]
		}
	}
	return json.Marshal(members)
}

// Map returns the template with every value passed through f.
func (t VMTemplate) Map(f func(string) string) VMTemplate {
	mapped := VMTemplate{Attributes: mapValues(t.Attributes, f), Vectors: maps.Clone(t.Vectors)}
	for name, vectors := range t.Vectors {
		mapped.Vectors[name] = slices.Clone(vectors)
		for i, vector := range vectors {
			mapped.Vectors[name][i] = mapValues(vector, f)
		}
	}
	return mapped
}

func mapValues(values map[string]string, f func(string) string) map[string]string {
	mapped := make(map[string]string, len(values))
	for name, value := range values {
		mapped[name] = f(value)
	}
	return mapped
}
