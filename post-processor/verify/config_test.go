package verify

import (
	"strings"
	"testing"

	"github.com/hashicorp/packer-plugin-sdk/hcl2helper"
	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"
	"github.com/hashicorp/packer-plugin-sdk/template/config"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
)

type block = map[string]any

func TestConfigureTakesDefaults(t *testing.T) {
	var p PostProcessor
	require.NoError(t, p.Configure(block{}))
	assert.Equal(t, Config{
		CPUs: 2, Accelerator: "auto", Firmware: "bios", BootTimeout: "15m0s",
	}, p.config)
	assert.Len(t, p.steps(&trial{}, nil, nil), 8)
}

func TestConfigureStoresEveryField(t *testing.T) {
	var p PostProcessor
	require.NoError(t, p.Configure(block{
		"context":  block{appliance.VarPassword: "not{{password}}", "START_SCRIPT": "true"},
		"model_id": "tiny", "memory": 1024, "cpus": 1, "accelerator": "tcg", "firmware": "uefi", "boot_timeout": "90s", "reboot": false,
	}))
	assert.Equal(t, Config{
		Context: map[string]string{appliance.VarPassword: "not{{password}}", "START_SCRIPT": "true"},
		ModelID: "tiny", Memory: 1024, CPUs: 1, Accelerator: "tcg", Firmware: "uefi", BootTimeout: "90s", Reboot: config.TriFalse,
	}, p.config)
	assert.Len(t, p.steps(&trial{}, nil, nil), 5, "no power cycle")
}

// Packer's log filter is told of them.
func TestKeysOfTheContext(t *testing.T) {
	var p PostProcessor
	require.NoError(t, p.Configure(block{"context": block{appliance.VarKeys: "alice:k7Ge9wQz2mXx, ci:tractor-lemon-37"}}))
	assert.Equal(t, []string{"k7Ge9wQz2mXx", "tractor-lemon-37"}, p.config.keys())
}

func TestConfigureListsEveryMistakeAndNoSecret(t *testing.T) {
	var p PostProcessor
	err := p.Configure(block{
		"context": block{
			appliance.VarContextSize: "1", appliance.VarPassword: "hush", appliance.VarDomain: "nodots",
			"ONEAPP_COPILOT_THREAD": "2", "not-a-name": "x",
		},
		"memory": 100, "cpus": -1, "accelerator": "hvf", "firmware": "coreboot", "boot_timeout": "soon",
	})
	var mistakes *packersdk.MultiError
	require.ErrorAs(t, err, &mistakes)
	var got []string
	for _, mistake := range mistakes.Errors {
		got = append(got, mistake.Error())
	}
	assert.Equal(t, []string{
		`context: "not-a-name" is not the name of a context variable`,
		`context: ONEAPP_COPILOT_THREAD: the appliance knows no such variable`,
		`context: ONEAPP_COPILOT_CONTEXT_SIZE: must be a whole number from 512 to 131072, got "1"`,
		`context: ONEAPP_COPILOT_PASSWORD: must have 12 to 128 characters, has 4`,
		`context: ONEAPP_COPILOT_DOMAIN: must be a fully qualified host name such as copilot.example.org, got "nodots"`,
		`memory: must be at least 512 (MiB), got 100`,
		`cpus: must be at least 1, got -1`,
		`accelerator: must be one of auto, kvm, tcg, got "hvf"`,
		`firmware: must be one of bios, uefi, both, got "coreboot"`,
		`boot_timeout: must be a duration such as "15m", got "soon"`,
	}, got)
	assert.NotContains(t, err.Error(), "hush")
}

func TestConfigureNamesUnknownFields(t *testing.T) {
	var p PostProcessor
	assert.ErrorContains(t, p.Configure(block{"contexts": block{}}), "contexts")
}

func TestUnknownValuesWaitForTheBuild(t *testing.T) {
	for _, unknown := range []string{"<unknown>", hcl2helper.UnknownVariableValue} {
		var p PostProcessor
		require.NoError(t, p.Configure(block{
			"context":  block{appliance.VarContextSize: unknown, appliance.VarThreads: "2"},
			"model_id": unknown, "accelerator": unknown, "firmware": unknown, "boot_timeout": unknown,
		}))
		var want []string
		for _, field := range []string{"context.ONEAPP_COPILOT_CONTEXT_SIZE", "model_id", "accelerator", "firmware", "boot_timeout"} {
			want = append(want, field+": refers to a value that this build does not have")
		}
		assert.EqualError(t, p.config.check().UnknownErr(), strings.Join(want, "\n"))
	}
	var p PostProcessor
	require.NoError(t, p.Configure(block{"context": block{appliance.VarThreads: "2"}}))
	assert.NoError(t, p.config.check().UnknownErr())
}

func TestConfigureTwiceTakesTheSecond(t *testing.T) {
	var p PostProcessor
	require.NoError(t, p.Configure(block{"memory": 1024}))
	assert.NotNil(t, p.ConfigSpec()["boot_timeout"])
	require.NoError(t, p.Configure(block{"memory": 2048}))
	assert.Equal(t, 2048, p.config.Memory)
}

func TestFirmwareOfEachBoot(t *testing.T) {
	const first, second = "first boot", "boot after the power cycle"
	tests := map[string]struct {
		settings block
		want     []string
	}{
		"default":             {block{}, []string{first, second}},
		"uefi":                {block{"firmware": "uefi"}, []string{first + ", UEFI", second + ", UEFI"}},
		"both":                {block{"firmware": "both"}, []string{first, second + ", UEFI"}},
		"uefi without reboot": {block{"firmware": "uefi", "reboot": false}, []string{first + ", UEFI"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var p PostProcessor
			require.NoError(t, p.Configure(test.settings))
			var got []string
			for _, listed := range p.steps(&trial{}, nil, nil) {
				if boot, ok := listed.Step.(*stepBoot); ok {
					got = append(got, boot.title())
				}
			}
			assert.Equal(t, test.want, got)
		})
	}
	assert.ErrorContains(t, new(PostProcessor).Configure(block{"firmware": "both", "reboot": false}),
		`firmware: "both" needs two boots, so reboot must not be false`)
}
