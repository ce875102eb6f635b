package lint

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// inputTypes maps OpenNebula's input types to the format of their options; nil if a type has
// none.
var inputTypes = map[string]*regexp.Regexp{
	"text": nil, "text64": nil, "password": nil, "number": nil, "number-float": nil, "boolean": nil, "fixed": nil,
	"range":       regexp.MustCompile(`^-?[0-9]+\.\.-?[0-9]+$`),
	"range-float": regexp.MustCompile(`^-?[0-9]+(\.[0-9]+)?\.\.-?[0-9]+(\.[0-9]+)?$`),
	"list":        regexp.MustCompile(`^[^,]+(,[^,]+)*$`),
}

// input checks "<M|O>|<type>|<description>|<options>|<default>".
func (l *linter) input(a attribute) {
	fields := strings.Split(a.value, "|")
	if len(fields) != 3 && len(fields) != 5 {
		l.add(a.line, ruleInputFields, "%s has %d fields: the command line refuses it, and Sunstone loses the default", a.name, len(fields))
		return
	}
	if fields[0] != "M" && fields[0] != "O" {
		l.add(a.line, ruleInputFields, "%s starts with %q, not M or O", a.name, fields[0])
	}
	kind, options, standard := fields[1], "", ""
	if len(fields) == 5 {
		options, standard = strings.TrimSpace(fields[3]), fields[4]
	}
	pattern, known := inputTypes[kind]
	switch {
	case kind == "list-multiple":
		l.add(a.line, ruleInputType, "%s is of type list-multiple, which the command line refuses", a.name)
	case !known:
		l.add(a.line, ruleInputType, "%s is of the unknown type %q", a.name, kind)
	case pattern == nil && options != "":
		l.add(a.line, ruleInputType, "%s is of type %s, which has no options, and has %q", a.name, kind, options)
	case pattern != nil && !pattern.MatchString(options):
		l.add(a.line, ruleInputType, "%s is of type %s with the options %q", a.name, kind, options)
	case kind == "password" && standard != "":
		l.add(a.line, rulePasswordDefault, "%s has a default, which everybody who can see the template knows", a.name)
	case !allowed(kind, options, standard):
		l.add(a.line, ruleInputDefault, "%s of type %s (%s) has the default %q", a.name, kind, options, standard)
	case strings.Contains(standard, "$"):
		l.add(a.line, ruleInputDefault, "%s has the default %q, of which onevm updateconf takes what follows the $ for a variable", a.name, standard)
	case standard == "" && slices.Contains(capacityInputs, a.name):
		l.add(a.line, ruleInputDefault, "%s chooses the size of the machine, and has no default", a.name)
	}
}

// allowed reports whether the default is a value the user could have chosen. An empty default
// is always allowed, except where a selection is required.
func allowed(kind, options, standard string) bool {
	if standard == "" {
		return kind != "fixed" && kind != "list"
	}
	number, err := strconv.ParseFloat(standard, 64)
	switch kind {
	case "boolean":
		return standard == "YES" || standard == "NO"
	case "list":
		return slices.Contains(strings.Split(options, ","), standard)
	case "number":
		_, err := strconv.Atoi(standard)
		return err == nil
	case "number-float":
		return err == nil
	case "range", "range-float":
		low, high, _ := strings.Cut(options, "..")
		least, _ := strconv.ParseFloat(low, 64)
		most, _ := strconv.ParseFloat(high, 64)
		return err == nil && number >= least && number <= most
	}
	return true
}
