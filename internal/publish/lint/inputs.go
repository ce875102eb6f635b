package lint

import (
	"slices"
	"strings"
)

// capacityInputs set the size of the VM; they have names and rules of their own.
var capacityInputs = []string{"CPU", "VCPU", "MEMORY"}

func (l *linter) inputs(t []attribute) {
	inputs, order := find(t, "USER_INPUTS"), find(t, "INPUTS_ORDER")
	if inputs == nil || len(inputs.members) == 0 {
		if order != nil && order.value != "" {
			l.add(order.line, ruleInputOrder, "INPUTS_ORDER names %q, but there are no inputs", order.value)
		}
		return
	}
	for _, input := range inputs.members {
		l.result.Inputs++
		l.input(input)
		if slices.Contains(capacityInputs, input.name) {
			continue
		}
		if len(strings.Split(input.name, "_")) < 4 || !strings.HasPrefix(input.name, applianceVariable) {
			l.add(input.line, ruleInputName, "Sunstone shows %s in a tab of others", input.name)
		}
		if !refersTo(t, input.name) {
			l.add(input.line, ruleInputUnused, "what the user answers to %s goes nowhere", input.name)
		}
	}
	l.order(inputs, order)
	l.titles(t, inputs)
}

// refersTo searches all attributes: an input may fill in any of them.
func refersTo(t []attribute, input string) bool {
	return slices.ContainsFunc(t, func(a attribute) bool {
		found := reference.FindStringSubmatch(a.value)
		return found != nil && strings.EqualFold(found[1], input) || refersTo(a.members, input)
	})
}

func (l *linter) order(inputs, order *attribute) {
	if len(inputs.members) == 1 && (order == nil || order.value == "") {
		return // there is nothing to put into an order
	}
	if order == nil || order.value == "" {
		l.add(inputs.line, ruleInputOrder, "INPUTS_ORDER is missing: the order is left to chance")
		return
	}
	ordered := strings.Split(order.value, ",")
	for i, name := range ordered {
		ordered[i] = strings.ToUpper(strings.TrimSpace(name))
		switch {
		case find(inputs.members, ordered[i]) == nil:
			l.add(order.line, ruleInputOrder, "INPUTS_ORDER names %q, which is not an input", ordered[i])
		case slices.Contains(ordered[:i], ordered[i]):
			l.add(order.line, ruleInputOrder, "INPUTS_ORDER names %s twice", ordered[i])
		}
	}
	for _, input := range inputs.members {
		if !slices.Contains(ordered, input.name) {
			l.add(input.line, ruleInputOrder, "%s is not in INPUTS_ORDER, so it is asked for first", input.name)
		}
	}
}

// titles checks the titles that Sunstone shows for the app and its groups of inputs.
func (l *linter) titles(t []attribute, inputs *attribute) {
	segment := map[string]int{"APP": 1, "GROUP": 2}
	for _, a := range t {
		if a.name != "USER_INPUTS_METADATA" || len(a.members) == 0 {
			continue
		}
		i, known := segment[a.get("TYPE")]
		if !known {
			l.add(a.line, ruleInputTitle, "USER_INPUTS_METADATA has the TYPE %q", a.get("TYPE"))
			continue
		}
		used := slices.ContainsFunc(inputs.members, func(input attribute) bool {
			segments := strings.Split(input.name, "_")
			return len(segments) > 3 && segments[i] == a.get("NAME")
		})
		if !used {
			l.add(a.line, ruleInputTitle, "no input belongs to the %s %q", a.get("TYPE"), a.get("NAME"))
		}
	}
}
