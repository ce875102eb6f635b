package verify

import (
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hcldec"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/goldentest"
)

func TestTemplateThatVerifiesAgain(t *testing.T) {
	var p PostProcessor
	require.NoError(t, p.Configure(block{
		"memory": 8192, "firmware": "both",
		"context": block{"ONEAPP_COPILOT_PASSWORD": "hush-hush-hush", "ONEAPP_COPILOT_KEYS": "ci:hush-hush-hush-2", "ONEAPP_COPILOT_CONTEXT_SIZE": "1024", "ETH0_IP": "10.0.0.1"},
	}))
	text := p.config.template("/dist/a ${b}.unverified/x.qcow2")
	const golden = "testdata/again.pkr.hcl"
	goldentest.Equal(t, golden, text)

	file, problems := hclsyntax.ParseConfig(text, golden, hcl.InitialPos)
	require.False(t, problems.HasErrors(), problems)
	build := file.Body.(*hclsyntax.Body).Blocks[1]
	block := build.Body.Blocks[0].Body.Blocks[1]
	require.Equal(t, []string{"slm-copilot-verify"}, block.Labels)
	// The name belongs to Packer, not to the configuration.
	delete(block.Body.Attributes, "name")
	decoded, problems := hcldec.Decode(block.Body, p.ConfigSpec(), nil)
	require.False(t, problems.HasErrors(), problems)
	var again PostProcessor
	require.NoError(t, again.Configure(decoded))
	assert.Equal(t, map[string]string{"ONEAPP_COPILOT_CONTEXT_SIZE": "1024"}, again.config.Context)
	p.config.Context, again.config.Context = nil, nil
	again.config.PackerConfig = p.config.PackerConfig
	again.config.Reboot = p.config.Reboot
	assert.Equal(t, p.config, again.config)
}
