package app

import (
	"strconv"
	"strings"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
)

// VMTemplate is the body of an OpenNebula VM template. Its types allow only what the
// importers understand: strings (a number makes the driver drop the whole template) and
// one level of nesting.
//
// It has no NIC, because network names belong to one site, and no DISK, because the
// importer adds the image it has just created.
type VMTemplate struct {
	Attributes map[string]string
	// Vectors are keyed by name; USER_INPUTS_METADATA occurs several times.
	Vectors map[string][]map[string]string
}

// VMTemplate returns the VM template of the app, for a guest of architecture arch
// ("x86_64"). Each context variable refers to its user input; a literal value would
// silently override the user's answer.
func (a App) VMTemplate(arch string) VMTemplate {
	context := map[string]string{
		"NETWORK":                "YES",
		"TOKEN":                  "YES",
		appliance.VarReportReady: "YES",
		// Without it one-context reports READY while the model is still being loaded.
		appliance.VarReadyScript: appliance.ReadyScript,
		appliance.VarHostname:    "$NAME",
		"SSH_PUBLIC_KEY":         "$USER[SSH_PUBLIC_KEY]",
	}
	inputs := map[string]string{}
	var order []string
	for _, v := range appliance.VariablesFor(a.Models) {
		context[v.Name] = "$" + v.Input
		inputs[v.Input] = v.UserInput()
		order = append(order, v.Input)
	}
	t := VMTemplate{
		Attributes: map[string]string{
			"CPU":          strconv.Itoa(a.CPU),
			"VCPU":         strconv.Itoa(a.VCPU),
			"MEMORY":       strconv.Itoa(a.MemoryMiB),
			"INPUTS_ORDER": strings.Join(order, ","),
		},
		Vectors: map[string][]map[string]string{
			"CONTEXT":              {context},
			"CPU_MODEL":            {cpuModel(arch)},
			"GRAPHICS":             {{"LISTEN": "0.0.0.0", "TYPE": "vnc"}},
			"NIC_DEFAULT":          {{"MODEL": "virtio"}},
			"OS":                   {{"ARCH": arch}},
			"USER_INPUTS":          {inputs},
			"USER_INPUTS_METADATA": inputsMetadata(),
		},
	}
	if a.Logo != "" {
		t.Attributes["LOGO"] = "images/logos/" + a.Logo
	}
	return t
}

// cpuModel passes the host's CPU through: the generic one has only SSE2, which makes
// inference about twenty times slower. Naming avx2 keeps the VM off hosts that lack it.
func cpuModel(arch string) map[string]string {
	model := map[string]string{"MODEL": "host-passthrough"}
	if arch == "x86_64" {
		model["FEATURES"] = "avx2"
	}
	return model
}

// inputsMetadata are the titles that Sunstone shows for the form and its groups; oned
// stores them without reading them. A "one" marketplace passes them on to OpenNebula 7.0
// and later; the driver of 6.10 ignores a list, so its users see the plain group names.
func inputsMetadata() []map[string]string {
	metadata := []map[string]string{titles("APP", appliance.InputApp())}
	for _, group := range appliance.InputGroups() {
		metadata = append(metadata, titles("GROUP", group))
	}
	return metadata
}

func titles(kind string, group appliance.InputGroup) map[string]string {
	return map[string]string{"TYPE": kind, "NAME": group.Name, "TITLE": group.Title, "DESCRIPTION": group.Description}
}
