package fieldcheck

import (
	"github.com/hashicorp/packer-plugin-sdk/hcl2helper"
	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"
)

// Unknown is the placeholder for a string in an HCL template that Packer does not have yet
// when it validates, such as a reference to something another block will create
// (hcl2template/shim of Packer 1.15.4). An unknown number is 0.
const Unknown = "<unknown>"

// IsUnknown reports whether value stands for one that is not known yet. No rule applies to it.
func IsUnknown(value string) bool {
	return value == Unknown || value == hcl2helper.UnknownVariableValue
}

// HideSecrets hides secrets in Packer's log, except empty and unknown ones.
func HideSecrets(secrets ...string) {
	for _, secret := range secrets {
		if secret != "" && !IsUnknown(secret) {
			packersdk.LogSecretFilter.Set(secret)
		}
	}
}
