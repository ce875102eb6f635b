package main

import (
	"net/netip"
	"slices"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/certs"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/machine"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/plan"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/vmcontext"
)

// names are the DNS names of the machine, the one a client should use first. The kernel's is
// the first part of the one in the context, as both one-context and cloud-init set it, and
// one-context does so only after the first configure.
func names(settings appliance.Settings, values map[string]string, facts machine.Facts) []string {
	var known []string
	for _, name := range []string{settings.Domain, facts.Hostname, machine.Certifiable(values[appliance.VarHostname])} {
		if name != "" && !slices.Contains(known, name) {
			known = append(known, name)
		}
	}
	if len(known) == 0 {
		known = []string{appliance.Name}
	}
	return known
}

// addresses are those the machine has and those the context assigns.
func addresses(values map[string]string, facts machine.Facts) []netip.Addr {
	return slices.Concat(vmcontext.Addresses(values), facts.Addresses)
}

// hosts are all names and addresses that the machine goes by, as they stand in a URL.
func hosts(settings appliance.Settings, values map[string]string, facts machine.Facts, chosen certs.Chosen) []string {
	known := append(names(settings, values, facts), "localhost")
	if served, err := certs.ParseLeaf(chosen.Served); err == nil {
		known = append(known, served.DNSNames...)
	}
	for _, address := range append(addresses(values, facts), netip.MustParseAddr("127.0.0.1"), netip.IPv6Loopback()) {
		text := address.WithZone("").String()
		if address.Is6() {
			text = "[" + text + "]"
		}
		known = append(known, text)
	}
	slices.Sort(known)
	return slices.Compact(known)
}

// host is where a client connects: the domain, else an address, because a bare host name
// is rarely known outside the machine.
func host(in plan.Input) string {
	if in.Settings.Domain != "" {
		return in.Settings.Domain
	}
	if known := addresses(in.Context, in.Facts); len(known) > 0 {
		return known[0].String()
	}
	return names(in.Settings, in.Context, in.Facts)[0]
}
