package marketplace

import (
	"testing"

	"github.com/hashicorp/packer-plugin-sdk/hcl2helper"
	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/hclunknown"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/marketapp"
)

type block = map[string]any

func exampleCatalog() block {
	return block{"directory": "dist/marketplace", "base_url": "https://apps.example.org"}
}

func TestConfigureTakesDefaults(t *testing.T) {
	var p PostProcessor
	require.NoError(t, p.Configure(block{"catalog": exampleCatalog()}))
	assert.Equal(t, marketapp.Default(), p.config.App.withDefaults())
}

func TestConfigureStoresEveryField(t *testing.T) {
	var p PostProcessor
	require.NoError(t, p.Configure(block{
		"catalog": exampleCatalog(),
		"app": block{
			"name": "N", "version": "2", "publisher": "P", "publisher_email": "p@example.org",
			"description": "{{ not a template }}", "short_description": "S", "tags": []string{"t"}, "logo": "l.png",
			"cpu": 1, "vcpu": 2, "memory": 3, "opennebula_versions": []string{"7.0"},
		},
	}))
	assert.Equal(t, marketapp.App{
		Name: "N", Version: "2", Publisher: "P", PublisherEmail: "p@example.org",
		Description: "{{ not a template }}", ShortDescription: "S", Tags: []string{"t"}, Logo: "l.png",
		CPU: 1, VCPU: 2, MemoryMiB: 3, OpenNebulaVersions: []string{"7.0"},
	}, p.config.App.withDefaults())
	assert.Equal(t, Catalog{"dist/marketplace", "https://apps.example.org"}, *p.config.Catalog)
}

func TestConfigureListsEveryMistake(t *testing.T) {
	var p PostProcessor
	err := p.Configure(block{
		"catalog": block{"directory": "", "base_url": "apps.example.org/"},
		"app": block{
			"name": "a/b", "version": "1 0", "publisher": "a\nb", "publisher_email": `x\`, "description": "\U0001F680",
			"short_description": "]]>", "tags": []string{"ok", "a,b", ""}, "logo": "../l.png",
			"cpu": -1, "vcpu": -2, "memory": -3, "opennebula_versions": []string{"7"},
		},
	})
	var mistakes *packersdk.MultiError
	require.ErrorAs(t, err, &mistakes)
	var got []string
	for _, mistake := range mistakes.Errors {
		got = append(got, mistake.Error())
	}
	assert.Equal(t, []string{
		`app.name: must not hold any of & | : \ " ; / ' # { } $ < > or a control character`,
		`app.version: must be a version such as "1.0.0": up to 64 letters, digits and . _ + ~ -`,
		"app.publisher: must be one line without control characters",
		"app.publisher_email: must not end in a backslash",
		"app.description: must not hold characters above U+FFFF such as emoji",
		`app.short_description: must not hold "]]>"`,
		"app.tags: must not hold a comma",
		"app.tags: must not be empty",
		`app.logo: must be the base name of a PNG file such as "slm-copilot.png"`,
		`app.opennebula_versions: must be a release such as "7.0"`,
		"catalog.directory: must be set to the directory of the marketplace",
		`catalog.base_url: must be an http(s) URL such as "https://apps.example.org"`,
		"app.cpu: must be 1 or more, got -1",
		"app.vcpu: must be 1 or more, got -2",
		"app.memory: must be 1 or more, got -3",
	}, got)
}

func TestConfigureWantsADestination(t *testing.T) {
	var p PostProcessor
	assert.ErrorContains(t, p.Configure(block{}), "catalog: no destination is given")
	assert.ErrorContains(t, p.Configure(block{"app": block{"name": "N"}}), "catalog: no destination is given")
}

func TestConfigureAnswersTheOpenNebulaBlock(t *testing.T) {
	for name, opennebula := range map[string]block{
		"empty":  {},
		"filled": {"endpoint": "https://one.example.org:2633/RPC2", "username": "u", "password": "hush", "marketplace": "m", "datastore": "d"},
	} {
		t.Run(name, func(t *testing.T) {
			var p PostProcessor
			err := p.Configure(block{"catalog": exampleCatalog(), "opennebula": opennebula})
			require.ErrorContains(t, err, "opennebula: publishing through OpenNebula's API is not available in this version; use a block catalog")
			assert.NotContains(t, err.Error(), "hush")
			assert.NotContains(t, err.Error(), "no destination", "one answer is enough")
		})
	}
}

func TestConfigureRefusesUnknownFields(t *testing.T) {
	var p PostProcessor
	assert.ErrorContains(t, p.Configure(block{"catalog": exampleCatalog(), "catalogue": "x"}), `"catalogue"`)
}

// What depends on the build is known only when it runs.
func TestConfigureLetsUnknownValuesPass(t *testing.T) {
	for _, unknown := range []string{hclunknown.Text, hcl2helper.UnknownVariableValue} {
		var p PostProcessor
		assert.NoError(t, p.Configure(block{
			"catalog": block{"directory": unknown, "base_url": unknown},
			"app": block{
				"name": unknown, "version": unknown, "publisher": unknown, "publisher_email": unknown, "description": unknown,
				"short_description": unknown, "tags": []string{unknown}, "logo": unknown, "opennebula_versions": []string{unknown},
				"cpu": 0, "vcpu": 0, "memory": 0,
			},
		}))
	}
}
