// Package hclunknown tells the values of a template that Packer does not have yet when it
// validates, such as a reference to what another block will make.
package hclunknown

import "github.com/hashicorp/packer-plugin-sdk/hcl2helper"

// Text is what stands in place of a text of an HCL template (hcl2template/shim of Packer
// 1.15.4). An unknown number is 0.
const Text = "<unknown>"

// Is says whether value stands for one that is not known yet. No rule applies to it.
func Is(value string) bool {
	return value == Text || value == hcl2helper.UnknownVariableValue
}
