package fieldcheck

import (
	"bytes"
	"log"
	"os"
	"testing"

	"github.com/hashicorp/packer-plugin-sdk/hcl2helper"
	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"
	"github.com/stretchr/testify/assert"
)

func TestIsUnknown(t *testing.T) {
	for value, unknown := range map[string]bool{
		Unknown:                         true,
		hcl2helper.UnknownVariableValue: true,
		"":                              false,
		"unknown":                       false,
	} {
		assert.Equal(t, unknown, IsUnknown(value), "%q", value)
	}
}

func TestHideSecrets(t *testing.T) {
	var written bytes.Buffer
	packersdk.LogSecretFilter.SetOutput(&written)
	t.Cleanup(func() { packersdk.LogSecretFilter.SetOutput(os.Stderr) })
	HideSecrets("kennwort", "", Unknown)
	log.New(&packersdk.LogSecretFilter, "", 0).Print("kennwort ", Unknown)
	assert.Equal(t, "<sensitive> <unknown>\n", written.String())
}
