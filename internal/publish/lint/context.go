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

func (l *linter) context(line int, t []attribute) {
	context := find(t, "CONTEXT")
	if context == nil {
		l.add(line, ruleReportReady, "CONTEXT is missing")
		return
	}
	// Without NETWORK the VM has no address; without the others nobody learns that it is
	// ready.
	for _, name := range []string{"NETWORK", "TOKEN", "REPORT_READY"} {
		switch m := find(context.members, name); {
		case m == nil:
			l.add(context.line, ruleReportReady, "CONTEXT/%s is missing", name)
		case !strings.EqualFold(m.value, "YES"):
			l.add(m.line, ruleReportReady, "CONTEXT/%s is %q", name, m.value)
		}
	}
	if strings.EqualFold(context.get("REPORT_READY"), "YES") && context.get("READY_SCRIPT") == "" && context.get("READY_SCRIPT_PATH") == "" {
		l.add(context.line, ruleReadyScript, "READY is reported before the service answers")
	}
	inputs := find(t, "USER_INPUTS")
	for _, m := range context.members {
		if !strings.HasPrefix(m.name, applianceVariable) {
			continue
		}
		found := reference.FindStringSubmatch(m.value)
		switch {
		case found == nil:
			l.add(m.line, ruleContextLiteral, "CONTEXT/%s is %s: what the user answers counts for nothing", m.name, quoted(m.name, m.value))
		case strings.HasPrefix(found[1], applianceVariable) && (inputs == nil || find(inputs.members, strings.ToUpper(found[1])) == nil):
			l.add(m.line, ruleContextInput, "CONTEXT/%s refers to %s, which nobody is asked for", m.name, found[1])
		}
	}
}

// quoted hides a value that may be a secret.
func quoted(name, value string) string {
	if slices.ContainsFunc([]string{"PASS", "KEY", "TOKEN", "SECRET"}, func(word string) bool { return strings.Contains(name, word) }) {
		return "a literal"
	}
	return `"` + value + `"`
}
