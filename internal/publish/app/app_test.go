package app

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
)

func TestDefaultPassesItsOwnRules(t *testing.T) {
	app := Default()
	app.Version = "1.0.0"
	assert.NoError(t, appliance.CheckObjectName(app.Title("x86_64")))
	assert.NoError(t, CheckLine(app.Publisher))
	assert.NoError(t, CheckLine(app.ShortDescription))
	assert.NoError(t, CheckText(app.Description))
	for _, tag := range app.Tags {
		assert.NoError(t, CheckTag(tag))
	}
	for _, version := range app.OpenNebulaVersions {
		assert.NoError(t, CheckOpenNebulaVersion(version))
	}
	assert.Equal(t, "SLM-Copilot 1.0.0", app.Title("x86_64"))
	assert.Equal(t, "SLM-Copilot 1.0.0 aarch64", app.Title("aarch64"))
}

func TestChecks(t *testing.T) {
	type table map[string]bool
	for name, test := range map[string]struct {
		check func(string) error
		table table
	}{
		"version": {CheckVersion, table{
			"1.0.0": true, "1.0.0-0-20261122": true, "2.1~rc1+b": true, "": false, "-1": false, "1 0": false,
			"1/0": false, "1.0\n": false, strings.Repeat("1", 64): true, strings.Repeat("1", 65): false,
		}},
		"logo": {CheckLogo, table{
			"slm-copilot.png": true, "a/b.png": false, "../x.png": false, ".png": false, "a.svg": false, "": false, `a".png`: false,
		}},
		"OpenNebula version": {CheckOpenNebulaVersion, table{
			"6.10": true, "7.0": true, "7": false, "7.0.1": false, "": false, "7.0,7.2": false,
		}},
		"line": {CheckLine, table{
			`An "image", größer`: true, "": false, " ": false, "a\nb": false, "a\x7f": false, `ends in \`: false, `in\side`: true,
			"a ]]> b": false, "rocket \U0001F680": false,
		}},
		"text": {CheckText, table{
			"": true, "two\nlines": true, "a\tb": true, "a\r\n": false, "\xff": false, `ends in \`: false, "a ]]> b": false, "rocket \U0001F680": false,
		}},
		"tag": {CheckTag, table{"ai": true, "two words": true, "a,b": false, "": false}},
	} {
		t.Run(name, func(t *testing.T) {
			for value, valid := range test.table {
				assert.Equal(t, valid, test.check(value) == nil, "%q", value)
			}
		})
	}
}
