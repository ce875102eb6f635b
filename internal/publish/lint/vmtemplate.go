package lint

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
)

// facts are what is known about the app that a VM template belongs to; nothing for a template
// alone.
type facts struct {
	arch string
	// copilot is true for a template of this appliance, which everything is known of.
	copilot bool
	// inference is true if models compute on the CPU of its machines.
	inference bool
	// role is true if it may be a role of a service, which asks the user and fills in the
	// answers.
	role bool
}

// isInference goes by the tags of an app.
func isInference(n *node) bool {
	return slices.ContainsFunc(n.get("tags").list(), func(tag *node) bool {
		return slices.Contains([]string{"llm", "inference", "copilot"}, strings.ToLower(tag.str()))
	})
}

// isCopilot recognizes templates of this appliance by its variables.
func isCopilot(t []attribute) bool {
	return slices.ContainsFunc([]string{"CONTEXT", "USER_INPUTS"}, func(name string) bool {
		vector := find(t, name)
		return vector != nil && slices.ContainsFunc(vector.members, func(m attribute) bool { return strings.HasPrefix(m.name, appliance.Prefix) })
	})
}

// template finds what keeps a VM template from working in a cloud its author has not seen.
func (l *linter) template(line int, t []attribute, f facts) {
	f.copilot = f.copilot || isCopilot(t)
	f.inference = f.inference || f.copilot
	l.result.Templates++
	l.storableValues(t, "")
	for _, a := range t {
		switch a.name {
		case "NIC":
			l.add(a.line, ruleNIC, "a NIC is in the template, and names of networks belong to one site")
		case "DISK":
			l.add(a.line, ruleDisk, "a DISK is in the template")
		case "NAME":
			l.add(a.line, ruleNameInTemplate, "a NAME is in the template")
		case "HYPERVISOR":
			l.add(a.line, ruleHypervisor, "HYPERVISOR is set")
		case "SCHED_REQUIREMENTS":
			if strings.Contains(strings.ToUpper(a.value), "HYPERVISOR") {
				l.add(a.line, ruleHypervisor, "SCHED_REQUIREMENTS ask for a HYPERVISOR")
			}
		case "LOGO":
			if !strings.HasPrefix(a.value, "images/logos/") || !strings.HasSuffix(a.value, ".png") {
				l.add(a.line, ruleLogo, "LOGO is %q", a.value)
			}
		}
	}
	l.capacity(line, t, f)
	l.architecture(t, f.arch)
	if f.inference {
		l.cpuModel(line, t, f.arch)
	}
	l.topology(t)
	l.context(line, t, f)
	l.inputs(t)
}

// find returns the first attribute with that name, nil if there is none.
func find(t []attribute, name string) *attribute {
	i := slices.IndexFunc(t, func(a attribute) bool { return a.name == name })
	if i < 0 {
		return nil
	}
	return &t[i]
}

// get returns the value of a member, empty if there is none. a may be nil.
func (a *attribute) get(name string) string {
	if a == nil {
		return ""
	}
	if m := find(a.members, name); m != nil {
		return m.value
	}
	return ""
}

// capacity requires VCPU too where one CPU is not what is meant: without it a guest has one.
func (l *linter) capacity(line int, t []attribute, f facts) {
	for _, name := range []string{"CPU", "VCPU", "MEMORY"} {
		a := find(t, name)
		if a == nil && name == "VCPU" && !f.inference && oneCPU(t) {
			continue
		}
		if a == nil {
			// An input with that name asks the user.
			if inputs := find(t, "USER_INPUTS"); inputs.get(name) == "" {
				l.add(line, ruleCapacity, "%s is missing", name)
			}
			continue
		}
		if n, err := strconv.ParseFloat(a.value, 64); err != nil || !(n > 0) {
			l.add(a.line, ruleCapacity, "%s is %q", name, a.value)
		} else if name != "CPU" && strings.Trim(a.value, "0123456789") != "" {
			l.add(a.line, ruleCapacity, "%s is %q, not a whole number", name, a.value)
		}
	}
}

// oneCPU reports whether no more than one CPU of the host is reserved.
func oneCPU(t []attribute) bool {
	cpu := find(t, "CPU")
	if cpu == nil {
		return true
	}
	n, err := strconv.ParseFloat(cpu.value, 64)
	return err == nil && n <= 1
}

func (l *linter) architecture(t []attribute, arch string) {
	system := find(t, "OS")
	given := system.get("ARCH")
	switch {
	case given == "":
	case !slices.Contains([]string{"x86_64", "aarch64"}, given):
		l.add(system.line, ruleArch, "OS/ARCH is %q", given)
	case arch != "" && arch != "all" && arch != given:
		l.add(system.line, ruleArch, "OS/ARCH is %q, os-arch %q", given, arch)
	}
}

func (l *linter) cpuModel(line int, t []attribute, arch string) {
	arch = cmp.Or(find(t, "OS").get("ARCH"), arch)
	model := find(t, "CPU_MODEL")
	switch {
	case model == nil:
		l.add(line, ruleCPUModel, "CPU_MODEL is missing: the guest sees a generic CPU, on which inference is some 20 times slower")
	case model.get("MODEL") != "host-passthrough" && model.get("MODEL") != "host-model":
		l.add(model.line, ruleCPUModel, "CPU_MODEL/MODEL is %q", model.get("MODEL"))
	case arch == "x86_64" && !strings.Contains(model.get("FEATURES"), "avx2"):
		l.add(model.line, ruleCPUModel, "CPU_MODEL/FEATURES lacks avx2: the machine may start on a host that has none")
	}
}

func (l *linter) topology(t []attribute) {
	a := find(t, "TOPOLOGY")
	if a == nil {
		return
	}
	for _, name := range []string{"PIN_POLICY", "HUGEPAGE_SIZE"} {
		if m := find(a.members, name); m != nil {
			l.add(m.line, ruleRestricted, "TOPOLOGY/%s is for administrators", name)
		}
	}
	product, given := 1, 0
	for _, name := range []string{"SOCKETS", "CORES", "THREADS"} {
		if value := a.get(name); value != "" {
			n, _ := strconv.Atoi(value)
			product *= n
			given++
		}
	}
	if given == 0 {
		return
	}
	vcpu := find(t, "VCPU")
	switch {
	case given != 3:
		l.add(a.line, ruleTopology, "TOPOLOGY has %d of SOCKETS, CORES and THREADS", given)
	case vcpu == nil || vcpu.value != strconv.Itoa(product):
		l.add(a.line, ruleTopology, "SOCKETS, CORES and THREADS make %d CPUs, which is not VCPU", product)
	case find(t, "VCPU_MAX") != nil:
		l.add(a.line, ruleTopology, "VCPU_MAX cannot go with TOPOLOGY")
	}
}
