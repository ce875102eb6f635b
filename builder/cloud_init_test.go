package builder

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"
)

func TestCheckCloudInit(t *testing.T) {
	tests := map[string]struct{ text, want string }{
		"none":         {"", ""},
		"blank":        {" \n", ""},
		"a mapping":    {"timezone: UTC\n", ""},
		"with mark":    {"#cloud-config\ntimezone: UTC\n", ""},
		"as JSON":      {`{"write_files":[{"path":"/etc/x","content":"{{ y }}"}]}`, ""},
		"no YAML":      {"a: [", "must be YAML"},
		"a script":     {"#!/bin/sh\necho hush\n", "must be a mapping"},
		"a list":       {"- hush", "must be a mapping"},
		"only comment": {"#cloud-config\n", "must be a mapping"},
		"ours":         {"users: []\ntimezone: UTC\nssh_pwauth: true\n", "must leave these to the builder, which gets in by them: ssh_pwauth, users"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			err := checkCloudInit(test.text)
			if test.want == "" {
				assert.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, test.want)
			assert.NotContains(t, err.Error(), "hush")
		})
	}
}

func TestSeedKeepsOursApart(t *testing.T) {
	files, err := seed("id-1", "ssh-ed25519 KEY", "timezone: UTC\n")
	require.NoError(t, err)
	assert.Equal(t, "instance-id: id-1\n", files["meta-data"])
	assert.Equal(t, "#cloud-config\ntimezone: UTC\n", files["vendor-data"])
	var ours struct {
		DisableRoot bool `yaml:"disable_root"`
		PasswordSSH any  `yaml:"ssh_pwauth"`
		Users       []struct {
			Name string   `yaml:"name"`
			Keys []string `yaml:"ssh_authorized_keys"`
		} `yaml:"users"`
	}
	require.NoError(t, yaml.Unmarshal([]byte(files["user-data"]), &ours))
	assert.Equal(t, false, ours.PasswordSSH)
	assert.Equal(t, "root", ours.Users[0].Name)
	assert.Equal(t, []string{"ssh-ed25519 KEY"}, ours.Users[0].Keys)

	files, err = seed("id-1", "ssh-ed25519 KEY", "")
	require.NoError(t, err)
	assert.NotContains(t, files, "vendor-data")
}

func TestBracesInCloudInitStay(t *testing.T) {
	c := decoded(t, map[string]any{"base_image": "a.qcow2", "base_image_checksum": "none", "cloud_init": "motd: '{{ .x }}'"})
	assert.Equal(t, "motd: '{{ .x }}'", c.CloudInit)
}

func FuzzCheckCloudInit(f *testing.F) {
	f.Add("users: []")
	f.Add("a: &a [*a]")
	f.Fuzz(func(t *testing.T, text string) {
		if checkCloudInit(text) != nil {
			return
		}
		var settings map[string]any
		assert.NoError(t, yaml.Unmarshal([]byte(text), &settings), "what is accepted is a mapping, or nothing")
		assert.NotContains(t, settings, "users")
	})
}
