package inspect

import (
	"path"
	"slices"
	"strings"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/files"
)

// rule forbids files by their names.
type rule struct {
	// pattern is in the syntax of path.Match; a trailing "/**" means everything below.
	pattern string
	// emptyIsFine limits the rule to regular files that are not empty.
	emptyIsFine  bool
	what, remedy string
}

const (
	removeIt   = "remove it in the last provisioner"
	emptyIt    = "empty it in the last provisioner"
	reinstated = "remove it; every machine makes its own"
)

// rules returns what a finished image must not contain.
func rules() []rule {
	return append(perVM(), []rule{
		{pattern: "/etc/ssh/ssh_host_*", what: "an SSH host key, which all machines would share", remedy: reinstated},
		{pattern: "/var/lib/systemd/random-seed", what: "the seed of the random numbers of all machines", remedy: "stop systemd-random-seed.service, then remove it"},
		{pattern: "/var/lib/systemd/credential.secret", what: "a key of this machine", remedy: reinstated},
		{pattern: "/root/.ssh/authorized_keys*", what: "lets somebody in as root", remedy: removeIt},
		{pattern: "/home/*/.ssh/authorized_keys*", what: "lets somebody in", remedy: removeIt},
		{pattern: "/etc/sudoers.d/90-cloud-init-users", what: "rights of a user of the build", remedy: removeIt},
		{pattern: "/root/.*_history", what: "what was typed on the build machine", remedy: removeIt},
		{pattern: "/home/*/.*_history", what: "what was typed on the build machine", remedy: removeIt},

		{pattern: "/var/lib/cloud/**", what: "state of cloud-init, which takes a new machine for the build machine", remedy: `run "cloud-init clean --logs --seed" and remove /var/lib/cloud`},
		{pattern: "/etc/netplan/50-cloud-init.yaml", what: "network of the build machine", remedy: removeIt},
		{pattern: "/etc/netplan/*one-context*", what: "network of the build machine", remedy: removeIt},
		{pattern: "/etc/netplan/90-NM-*", what: "network of the build machine", remedy: removeIt},
		{pattern: "/etc/network/interfaces.d/50-cloud-init*", what: "network of the build machine", remedy: removeIt},
		{pattern: "/etc/systemd/network/10-cloud-init*", what: "network of the build machine", remedy: removeIt},
		{pattern: "/etc/NetworkManager/system-connections/*", what: "network of the build machine", remedy: removeIt},
		{pattern: "/etc/udev/rules.d/70-persistent-net.rules", what: "network cards of the build machine", remedy: removeIt},
		{pattern: "/var/lib/dhcp/*", emptyIsFine: true, what: "a lease of the build machine", remedy: removeIt},
		{pattern: "/var/lib/NetworkManager/*.lease", what: "a lease of the build machine", remedy: removeIt},
		{pattern: "/etc/resolv.conf", emptyIsFine: true, what: "name servers of the build machine", remedy: "remove it, or make it the symbolic link of systemd-resolved"},
		{pattern: "/etc/.resolv.conf.systemd-resolved.bak", what: "name servers of the machine where systemd-resolved was installed", remedy: removeIt},

		{pattern: "/var/log/journal/*", what: "the journal of the build machine", remedy: removeIt},
		{pattern: "/var/log/**", emptyIsFine: true, what: "a log of the build machine", remedy: emptyIt},
		{pattern: "/var/mail/*", emptyIsFine: true, what: "mail of the build machine", remedy: removeIt},
		{pattern: "/tmp/**", what: "left over", remedy: removeIt},
		{pattern: "/var/tmp/**", what: "left over", remedy: removeIt},
		{pattern: "/var/lib/apt/lists/**", emptyIsFine: true, what: "list of packages, old before it is used", remedy: "empty /var/lib/apt/lists"},
		{pattern: "/var/cache/apt/**", emptyIsFine: true, what: "cache of apt", remedy: `run "apt-get clean"`},
		{pattern: "/usr/sbin/policy-rc.d", what: "keeps services from starting when they are installed", remedy: removeIt},
	}...)
}

// perVM returns rules against everything the agent creates for each VM.
func perVM() []rule {
	var found []rule
	for _, path := range files.PerVMState() {
		found = append(found, rule{pattern: path, what: "belongs to one machine", remedy: reinstated})
	}
	return append(found, rule{pattern: appliance.ContextCopy, what: "context of the build machine", remedy: removeIt})
}

// broken returns the rules that the tree violates.
func (t tree) broken(rules []rule) []finding {
	found := make([][]string, len(rules))
	for _, name := range t.paths() {
		if n := slices.IndexFunc(rules, func(r rule) bool { return r.forbids(name, t.files[name]) }); n >= 0 {
			found[n] = append(found[n], name)
		}
	}
	var findings []finding
	for n, paths := range found {
		if len(paths) > 0 {
			findings = append(findings, finding{paths, rules[n].what, rules[n].remedy})
		}
	}
	return findings
}

func (r rule) forbids(name string, file entry) bool {
	if r.emptyIsFine && (file.mode&typeMask != typeRegular || file.size == 0) {
		return false
	}
	if top, isTree := strings.CutSuffix(r.pattern, "**"); isTree {
		return strings.HasPrefix(name, top)
	}
	// The patterns are constants, and the tests use each of them.
	matches, _ := path.Match(r.pattern, name)
	return matches
}
