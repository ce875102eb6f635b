package marketplace

import (
	"bytes"
	"log"
	"os"
	"testing"
	"time"

	"github.com/hashicorp/packer-plugin-sdk/hcl2helper"
	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/fieldcheck"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/app"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/transfer"
	"github.com/slm-copilot/packer-plugin-slm-copilot/post-processor/marketplace/cloud"
)

type block = map[string]any

func exampleCatalog() block {
	return block{"directory": "dist/marketplace", "base_url": "https://apps.example.org"}
}

func TestConfigureTakesDefaults(t *testing.T) {
	var p PostProcessor
	require.NoError(t, p.Configure(block{"catalog": exampleCatalog()}))
	assert.Equal(t, app.Default(), p.config.App.withDefaults())
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
	assert.Equal(t, app.App{
		Name: "N", Version: "2", Publisher: "P", PublisherEmail: "p@example.org",
		Description: "{{ not a template }}", ShortDescription: "S", Tags: []string{"t"}, Logo: "l.png",
		CPU: 1, VCPU: 2, MemoryMiB: 3, OpenNebulaVersions: []string{"7.0"}, Models: []string{"devstral-small-2"},
	}, p.config.App.withDefaults())
	assert.Equal(t, Catalog{Directory: "dist/marketplace", BaseURL: "https://apps.example.org"}, *p.config.Catalog)
}

func TestANumberThatIsZeroIsNotTakenForOneThatIsNotGiven(t *testing.T) {
	var p PostProcessor
	require.NoError(t, p.Configure(block{
		"app": block{"cpu": 0, "vcpu": 0, "memory": 0},
		"opennebula": block{
			"endpoint": "https://one.example.org:2633/RPC2", "marketplace": "private",
			"transfer": block{"ssh": block{"host": "one.example.org", "port": 0, "username": "u", "agent": true}},
		},
	}), "Packer passes 0 for a number that it does not know yet")
	err := p.config.check().UnknownErr()
	for _, field := range []string{"app.cpu", "app.vcpu", "app.memory"} {
		assert.ErrorContains(t, err, field+": must be at least 1, got 0")
	}
	assert.ErrorContains(t, err, "opennebula.transfer.ssh.port: must be at least 1, got 0")
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
		"app.publisher: must be one line",
		"app.publisher_email: must not end in a backslash",
		"app.description: must not hold characters above U+FFFF such as emoji",
		`app.short_description: must not hold "]]>"`,
		"app.tags[1]: must not hold a comma",
		"app.tags[2]: must not be empty",
		`app.logo: must be the base name of a PNG file such as "slm-copilot.png"`,
		`app.opennebula_versions[0]: must be a release such as "7.0"`,
		"app.cpu: must be at least 1, got -1",
		"app.vcpu: must be at least 1, got -2",
		"app.memory: must be at least 1, got -3",
		"catalog.directory: must be set to the directory of the marketplace",
		`catalog.base_url: must be an http(s) URL such as "https://apps.example.org"`,
	}, got)
}

func TestConfigureWantsADestination(t *testing.T) {
	var p PostProcessor
	assert.ErrorContains(t, p.Configure(block{}), "no destination is given")
	assert.ErrorContains(t, p.Configure(block{"app": block{"name": "N"}}), "no destination is given")
}

func exampleCloud() block {
	return block{
		"endpoint": "https://one.example.org:2633/RPC2", "username": "u", "password": "hush", "marketplace": "private",
		"transfer": block{"path": "/var/tmp/"},
	}
}

func TestConfigureTakesACloud(t *testing.T) {
	var p PostProcessor
	require.NoError(t, p.Configure(block{"opennebula": exampleCloud()}))
	assert.Equal(t, cloud.Target{Marketplace: "private", Datastore: "default", Permissions: "644", Timeout: 2 * time.Hour}, p.config.OpenNebula.target())
	assert.Equal(t, transfer.Hosted{Location: "/var/tmp/"}, p.config.OpenNebula.Transfer.method())

	changed := exampleCloud()
	for name, value := range map[string]any{
		"datastore": "1", "group": "users", "permissions": "640", "vm_template": true, "vm_template_app": true,
		"service_template_app": true, "keep_versions": 2, "force_replace": true, "timeout": "90m",
	} {
		changed[name] = value
	}
	p = PostProcessor{}
	require.NoError(t, p.Configure(block{"opennebula": changed}))
	assert.Equal(t, cloud.Target{
		Marketplace: "private", Datastore: "1", Group: "users", Permissions: "640", VMTemplate: true, VMTemplateApp: true,
		ServiceTemplateApp: true, KeepVersions: 2, ForceReplace: true, Timeout: 90 * time.Minute,
	}, p.config.OpenNebula.target())
}

func TestConfigureListsEveryMistakeOfACloud(t *testing.T) {
	for name, test := range map[string]struct {
		change block
		want   []string
	}{
		"nothing": {block{"endpoint": "", "marketplace": "", "username": "", "password": "", "transfer": nil}, []string{
			"opennebula.endpoint: must be an http(s) URL", "opennebula.marketplace: must be set", "opennebula.transfer: must be given",
		}},
		"credentials twice": {block{"token": "hush", "auth_file": "x"}, []string{
			"opennebula.token: set it or opennebula.password", "opennebula.auth_file: set it or opennebula.username",
		}},
		"half of them": {block{"password": ""}, []string{"opennebula.username: goes with one of"}},
		"bad values": {block{"username": "a:b", "permissions": "rw", "timeout": "soon", "keep_versions": -1, "insecure_skip_verify": true, "ca_file": "x"}, []string{
			"opennebula.username: must not hold a colon", "opennebula.permissions: must be three octal digits", "opennebula.timeout: must be a duration",
			"opennebula.keep_versions: must be 0 for all", "opennebula.insecure_skip_verify: looks at no certificate",
		}},
		"two ways":     {block{"transfer": block{"path": "/x", "url": "https://x/y"}}, []string{"exactly one of ssh, s3, serve, url and path must be given, got 2"}},
		"a bad path":   {block{"transfer": block{"path": "x"}}, []string{"opennebula.transfer.path: must be an http(s) URL or an absolute path"}},
		"a bad server": {block{"transfer": block{"serve": block{"listen": "0.0.0.0:80"}}}, []string{"opennebula.transfer.serve.address: must be set"}},
		"a bad host":   {block{"transfer": block{"ssh": block{"host": ""}}}, []string{"opennebula.transfer.ssh.host: "}},
		"a bad bucket": {block{"transfer": block{"s3": block{"secret_key": "hush"}}}, []string{"opennebula.transfer.s3.endpoint: ", "opennebula.transfer.s3.bucket: "}},
	} {
		t.Run(name, func(t *testing.T) {
			o := exampleCloud()
			for field, value := range test.change {
				if o[field] = value; value == nil {
					delete(o, field)
				}
			}
			var p PostProcessor
			err := p.Configure(block{"opennebula": o})
			require.Error(t, err)
			for _, want := range test.want {
				assert.ErrorContains(t, err, want)
			}
			assert.NotContains(t, err.Error(), "hush")
		})
	}
}

func TestSecretsStayOutOfTheLog(t *testing.T) {
	var written bytes.Buffer
	packersdk.LogSecretFilter.SetOutput(&written)
	t.Cleanup(func() { packersdk.LogSecretFilter.SetOutput(os.Stderr) })
	o := exampleCloud()
	o["password"] = "kennwort"
	o["transfer"] = block{"s3": block{"endpoint": "https://s3.example.org", "bucket": "images", "access_key": "a", "secret_key": "schluessel"}}
	var p PostProcessor
	require.NoError(t, p.Configure(block{"opennebula": o}))
	log.New(&packersdk.LogSecretFilter, "", 0).Print("kennwort schluessel seen")
	assert.Contains(t, written.String(), "seen")
	assert.NotContains(t, written.String(), "kennwort")
	assert.NotContains(t, written.String(), "schluessel")
}

func TestConfigureRefusesUnknownFields(t *testing.T) {
	var p PostProcessor
	assert.ErrorContains(t, p.Configure(block{"catalog": exampleCatalog(), "catalogue": "x"}), `"catalogue"`)
}

// Values that depend on the build are unknown until it runs.
func TestConfigureLetsUnknownValuesPass(t *testing.T) {
	for _, unknown := range []string{fieldcheck.Unknown, hcl2helper.UnknownVariableValue} {
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

// The values of a transfer block are validated once all of them are known.
func TestConfigureLetsUnknownValuesOfACloudPass(t *testing.T) {
	const u = fieldcheck.Unknown
	for way, values := range map[string]any{
		"ssh": block{"host": u}, "s3": block{"bucket": u}, "serve": block{"address": u}, "url": u, "path": u,
	} {
		t.Run(way, func(t *testing.T) {
			o := exampleCloud()
			o["endpoint"], o["username"], o["permissions"], o["timeout"], o["datastore"] = u, u, u, u, u
			o["transfer"] = block{way: values}
			var p PostProcessor
			require.NoError(t, p.Configure(block{"opennebula": o}))
			err := p.config.check().UnknownErr()
			for _, field := range []string{"endpoint", "username", "permissions", "timeout", "datastore", "transfer." + way} {
				assert.ErrorContains(t, err, "opennebula."+field)
			}
		})
	}
}
