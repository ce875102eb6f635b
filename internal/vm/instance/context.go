package instance

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/vm/qemuvm"
)

// contextName matches the variable names that oned accepts for context.sh.
var contextName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// CheckContext returns every mistake in the user's context values. An unknown variable is a
// mistake: the image is of this very version, so it must be a misspelling.
func CheckContext(user map[string]string) []error {
	var mistakes []error
	for _, name := range slices.Sorted(maps.Keys(user)) {
		if !contextName.MatchString(name) {
			mistakes = append(mistakes, fmt.Errorf("%q is not the name of a context variable", name))
		}
	}
	for _, name := range appliance.UnknownNames(user) {
		mistakes = append(mistakes, fmt.Errorf("%s: the appliance knows no such variable", name))
	}
	if _, err := appliance.ParseSettings(user); err != nil {
		var joined interface{ Unwrap() []error }
		if errors.As(err, &joined) {
			return append(mistakes, joined.Unwrap()...)
		}
		return append(mistakes, err)
	}
	return mistakes
}

// contextValues returns the context of the instance: what oned writes for a VM with one
// network card, overridden by the user's values. If the user sets no password, one is
// generated here, because one generated inside the VM could not be known outside.
func contextValues(user map[string]string) map[string]string {
	values := map[string]string{
		"DISK_ID":             "1",
		"VMID":                "0",
		"NETWORK":             "YES",
		appliance.VarHostname: appliance.Name,
		"SSH_PUBLIC_KEY":      "",
		"ETH0_MAC":            qemuvm.GuestMAC,
		"ETH0_IP":             qemuvm.GuestAddress,
		"ETH0_MASK":           qemuvm.GuestMask,
		"ETH0_NETWORK":        qemuvm.GuestNetwork,
		"ETH0_GATEWAY":        qemuvm.GuestGateway,
		"ETH0_DNS":            qemuvm.GuestNameserver,
	}
	maps.Copy(values, user)
	// CheckContext has reported the mistakes.
	settings, _ := appliance.ParseSettings(values)
	values[appliance.VarPassword] = cmp.Or(settings.Password, rand.Text())
	return values
}
