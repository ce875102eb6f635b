package hclunknown

import (
	"testing"

	"github.com/hashicorp/packer-plugin-sdk/hcl2helper"
	"github.com/stretchr/testify/assert"
)

func TestIs(t *testing.T) {
	for value, unknown := range map[string]bool{
		Text:                            true,
		hcl2helper.UnknownVariableValue: true,
		"":                              false,
		"unknown":                       false,
	} {
		assert.Equal(t, unknown, Is(value), "%q", value)
	}
}
