package app

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
)

func TestVMTemplateAsksForEveryVariableAndPassesTheAnswerOn(t *testing.T) {
	template := Default().VMTemplate("x86_64")
	var order []string
	for _, v := range appliance.VariablesFor(nil) {
		order = append(order, v.Input)
		assert.Equal(t, "$"+v.Input, template.Vectors["CONTEXT"][0][v.Name])
		assert.Equal(t, v.UserInput(), template.Vectors["USER_INPUTS"][0][v.Input])
	}
	assert.Len(t, template.Vectors["USER_INPUTS"][0], len(appliance.VariablesFor(nil)))
	assert.Equal(t, strings.Join(order, ","), template.Attributes["INPUTS_ORDER"])
}

func TestVMTemplateFollowsTheApp(t *testing.T) {
	app := Default()
	app.CPU, app.VCPU, app.MemoryMiB, app.Logo = 2, 4, 4096, "x.png"
	got := app.VMTemplate("x86_64").Attributes
	assert.Equal(t, "2", got["CPU"])
	assert.Equal(t, "4", got["VCPU"])
	assert.Equal(t, "4096", got["MEMORY"])
	assert.Equal(t, "images/logos/x.png", got["LOGO"])
	assert.NotContains(t, Default().VMTemplate("x86_64").Attributes, "LOGO")
}

func TestVMTemplateFollowsTheArchitecture(t *testing.T) {
	assert.Equal(t, map[string]string{"MODEL": "host-passthrough", "FEATURES": "avx2"}, Default().VMTemplate("x86_64").Vectors["CPU_MODEL"][0])
	arm := Default().VMTemplate("aarch64")
	assert.Equal(t, map[string]string{"MODEL": "host-passthrough"}, arm.Vectors["CPU_MODEL"][0])
	assert.Equal(t, "aarch64", arm.Vectors["OS"][0]["ARCH"])
}

func TestVMTemplateIsOneObjectOfStrings(t *testing.T) {
	content, err := json.Marshal(VMTemplate{
		Attributes: map[string]string{"CPU": "2"},
		Vectors: map[string][]map[string]string{
			"OS":                   {{"ARCH": "x86_64"}},
			"USER_INPUTS_METADATA": {{"NAME": "A"}, {"NAME": "B"}},
		},
	})
	require.NoError(t, err)
	assert.JSONEq(t, `{"CPU":"2","OS":{"ARCH":"x86_64"},"USER_INPUTS_METADATA":[{"NAME":"A"},{"NAME":"B"}]}`, string(content))
}
