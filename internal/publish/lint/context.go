package lint

import (
	"regexp"
	"slices"
	"strings"
)

// applianceVariable is the prefix of the appliance's context variables.
const applianceVariable = "ONEAPP_"

// reference matches a value that oned fills in.
var reference = regexp.MustCompile(`^\$([A-Za-z0-9_]+)(?:\[.*\])?$`)

func (l *linter) context(line int, t []attribute, f facts) {
	context := find(t, "CONTEXT")
	if context == nil {
		if f.inference {
			l.add(line, ruleReportReady, "CONTEXT is missing")
		}
		return
	}
	l.readiness(context, f)
	inputs := find(t, "USER_INPUTS")
	for _, m := range context.members {
		if !strings.HasPrefix(m.name, applianceVariable) {
			continue
		}
		found := reference.FindStringSubmatch(m.value)
		switch {
		case found == nil && !f.copilot && !asked(inputs, m.name):
		case found == nil:
			l.add(m.line, ruleContextLiteral, "CONTEXT/%s is %s: what the user answers counts for nothing", m.name, quoted(m.name, m.value))
		case !f.copilot && (f.role || inputs == nil || len(inputs.members) == 0):
			// A service asks, and fills in the answers in the templates of its roles.
		case strings.HasPrefix(found[1], applianceVariable) && (inputs == nil || find(inputs.members, strings.ToUpper(found[1])) == nil):
			l.add(m.line, ruleContextInput, "CONTEXT/%s refers to %s, which nobody is asked for", m.name, found[1])
		}
	}
}

// readiness applies to services that use OneGate: images of plain systems need not.
func (l *linter) readiness(context *attribute, f facts) {
	// REPORT_READY without TOKEN, or without a network, reports nothing; TOKEN alone is for other
	// uses of OneGate.
	if !f.inference && !strings.EqualFold(context.get("REPORT_READY"), "YES") {
		return
	}
	for _, name := range []string{"NETWORK", "TOKEN", "REPORT_READY"} {
		switch m := find(context.members, name); {
		case m == nil:
			l.add(context.line, ruleReportReady, "CONTEXT/%s is missing", name)
		case !strings.EqualFold(m.value, "YES"):
			l.add(m.line, ruleReportReady, "CONTEXT/%s is %q", name, m.value)
		}
	}
	// Other appliances start their service before one-context's hooks end, which then report.
	if f.copilot && strings.EqualFold(context.get("REPORT_READY"), "YES") && context.get("READY_SCRIPT") == "" && context.get("READY_SCRIPT_PATH") == "" {
		l.add(context.line, ruleReadyScript, "READY is reported before the service answers")
	}
}

// asked reports whether the user is asked for a variable: by its name in CONTEXT, or by that
// name with a group in it, as ONEAPP_COPILOT_MODEL_THREADS is the input of
// ONEAPP_COPILOT_THREADS.
func asked(inputs *attribute, variable string) bool {
	if inputs == nil {
		return false
	}
	segments := strings.SplitN(variable, "_", 3)
	return slices.ContainsFunc(inputs.members, func(input attribute) bool {
		grouped := len(segments) == 3 && strings.HasPrefix(input.name, segments[0]+"_"+segments[1]+"_") && strings.HasSuffix(input.name, "_"+segments[2])
		return input.name == variable || grouped
	})
}

// quoted hides a value that may be a secret.
func quoted(name, value string) string {
	if slices.ContainsFunc([]string{"PASS", "KEY", "TOKEN", "SECRET"}, func(word string) bool { return strings.Contains(name, word) }) {
		return "a literal"
	}
	return `"` + value + `"`
}
