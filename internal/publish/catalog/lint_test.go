package catalog

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
)

// lintTemplate returns the mistakes that published templates have been seen to make: each
// of them broke instantiation, or gave users less than they asked for.
func lintTemplate(text string) []string {
	var template map[string]any
	if err := json.Unmarshal([]byte(text), &template); err != nil {
		return []string{"it is not a JSON object: " + err.Error()}
	}
	var mistakes []string
	for _, name := range []string{"NIC", "DISK", "SCHED_REQUIREMENTS", "HYPERVISOR"} {
		if _, ok := template[name]; ok {
			mistakes = append(mistakes, "it has "+name)
		}
	}
	for _, name := range []string{"CPU", "VCPU", "MEMORY", "CONTEXT", "USER_INPUTS", "INPUTS_ORDER"} {
		if _, ok := template[name]; !ok {
			mistakes = append(mistakes, "it has no "+name)
		}
	}
	for name, value := range template {
		mistakes = append(mistakes, lintStrings(name, value)...)
	}
	context, _ := template["CONTEXT"].(map[string]any)
	inputs, _ := template["USER_INPUTS"].(map[string]any)
	order, _ := template["INPUTS_ORDER"].(string)
	mistakes = append(mistakes, lintContext(context, inputs)...)
	mistakes = append(mistakes, lintInputs(inputs, strings.Split(order, ","))...)
	slices.Sort(mistakes)
	return mistakes
}

func lintStrings(path string, value any) []string {
	switch value := value.(type) {
	case string:
		if strings.Contains(strings.ReplaceAll(value, `\"`, ""), `"`) {
			return []string{path + " holds a bare quote"}
		}
		return nil
	case map[string]any:
		var mistakes []string
		for name, v := range value {
			if _, nested := v.(map[string]any); nested || strings.Contains(path, "/") {
				mistakes = append(mistakes, path+" is nested twice")
				continue
			}
			mistakes = append(mistakes, lintStrings(path+"/"+name, v)...)
		}
		return mistakes
	}
	if repeated, ok := value.([]any); ok && !strings.Contains(path, "/") {
		var mistakes []string
		for i, v := range repeated {
			mistakes = append(mistakes, lintStrings(fmt.Sprintf("%s[%d]", path, i), v)...)
		}
		return mistakes
	}
	return []string{fmt.Sprintf("%s is a %T, not a string", path, value)}
}

func lintContext(context, inputs map[string]any) []string {
	var mistakes []string
	for _, name := range []string{"NETWORK", "TOKEN", "REPORT_READY"} {
		if context[name] != "YES" {
			mistakes = append(mistakes, "CONTEXT/"+name+" is not YES")
		}
	}
	if context["READY_SCRIPT"] == nil && context["READY_SCRIPT_PATH"] == nil {
		mistakes = append(mistakes, "CONTEXT/REPORT_READY without READY_SCRIPT reports READY before the model is loaded")
	}
	for _, v := range appliance.VariablesFor(nil) {
		reference, _ := context[v.Name].(string)
		input, isReference := strings.CutPrefix(reference, "$")
		if _, asked := inputs[input]; !isReference || !asked {
			mistakes = append(mistakes, "CONTEXT/"+v.Name+" refers to no user input")
		}
	}
	return mistakes
}

func lintInputs(inputs map[string]any, order []string) []string {
	var mistakes []string
	for name, value := range inputs {
		text, _ := value.(string)
		if fields := strings.Split(text, "|"); len(fields) != 3 && len(fields) != 5 {
			mistakes = append(mistakes, fmt.Sprintf("USER_INPUTS/%s has %d fields", name, len(fields)))
		}
		if len(strings.Split(name, "_")) < 4 {
			mistakes = append(mistakes, "USER_INPUTS/"+name+" has fewer than four segments")
		}
		if !slices.Contains(order, name) {
			mistakes = append(mistakes, "USER_INPUTS/"+name+" is not in INPUTS_ORDER")
		}
	}
	return mistakes
}

func TestLintRejectsWhatBrokeOthers(t *testing.T) {
	const input = "ONEAPP_COPILOT_MODEL_THREADS"
	for want, breakIt := range map[string]func(template, context, inputs map[string]any){
		"it has NIC":     func(t, _, _ map[string]any) { t["NIC"] = map[string]any{"NETWORK": "service"} },
		"it has DISK":    func(t, _, _ map[string]any) { t["DISK"] = map[string]any{"IMAGE_ID": "0"} },
		"it has no VCPU": func(t, _, _ map[string]any) { delete(t, "VCPU") },
		"MEMORY is a float64, not a string": func(t, _, _ map[string]any) {
			t["MEMORY"] = 32768
		},
		"CONTEXT/NETWORK is a bool, not a string": func(_, c, _ map[string]any) { c["NETWORK"] = true },
		"CONTEXT/TOKEN is not YES":                func(_, c, _ map[string]any) { delete(c, "TOKEN") },
		"CONTEXT/ONEAPP_COPILOT_THREADS refers to no user input": func(_, c, _ map[string]any) {
			c["ONEAPP_COPILOT_THREADS"] = "0"
		},
		"USER_INPUTS/" + input + " has 4 fields": func(_, _, i map[string]any) { i[input] = "O|number|Threads|0" },
		"USER_INPUTS/X is not in INPUTS_ORDER":   func(_, _, i map[string]any) { i["X"] = "O|text|x" },
		"USER_INPUTS/X has fewer than four segments": func(_, _, i map[string]any) {
			i["X"] = "O|text|x"
		},
		"LOGO holds a bare quote":   func(t, _, _ map[string]any) { t["LOGO"] = `a "b" c` },
		"CONTEXT is nested twice":   func(_, c, _ map[string]any) { c["DEEP"] = map[string]any{"A": "b"} },
		"it has SCHED_REQUIREMENTS": func(t, _, _ map[string]any) { t["SCHED_REQUIREMENTS"] = "x" },
	} {
		t.Run(want, func(t *testing.T) {
			var template map[string]any
			require.NoError(t, json.Unmarshal([]byte(exampleEntry(t).OpenNebulaTemplate), &template))
			breakIt(template, template["CONTEXT"].(map[string]any), template["USER_INPUTS"].(map[string]any))
			text, err := json.Marshal(template)
			require.NoError(t, err)
			assert.Contains(t, lintTemplate(string(text)), want)
		})
	}
}
