package sftp

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/transfer"
)

func TestMistakes(t *testing.T) {
	good := Options{Host: "one.example.org", User: "oneadmin", UseAgent: true}
	for name, c := range map[string]struct {
		change func(*Options)
		want   string
	}{
		"none":                {func(*Options) {}, ""},
		"an address":          {func(o *Options) { o.Host = "2001:db8::1" }, ""},
		"a name for itself":   {func(o *Options) { o.Host = "front_end" }, ""},
		"a key":               {func(o *Options) { o.UseAgent, o.PrivateKeyFile = false, "/none" }, ""},
		"no host":             {func(o *Options) { o.Host = "" }, "host: must be a host name or an IP address, without user and port"},
		"host with port":      {func(o *Options) { o.Host = "one.example.org:22" }, "host: must be a host name or an IP address, without user and port"},
		"host with user":      {func(o *Options) { o.Host = "oneadmin@one" }, "host: must be a host name or an IP address, without user and port"},
		"negative port":       {func(o *Options) { o.Port = -1 }, "port: must be from 1 to 65535, got -1"},
		"large port":          {func(o *Options) { o.Port = 65536 }, "port: must be from 1 to 65535, got 65536"},
		"no user":             {func(o *Options) { o.User = "" }, "username: must be set"},
		"no way to log in":    {func(o *Options) { o.UseAgent = false }, "private_key_file: exactly one of password, private_key_file and agent must be given, got 0"},
		"two ways to log in":  {func(o *Options) { o.Password = "geheim" }, "private_key_file: exactly one of password, private_key_file and agent must be given, got 2"},
		"relative directory":  {func(o *Options) { o.Directory = "var/tmp" }, `directory: must be an absolute path without ".", "..", and a slash at its end`},
		"directory and slash": {func(o *Options) { o.Directory = "/var/tmp/" }, `directory: must be an absolute path without ".", "..", and a slash at its end`},
		"odd directory":       {func(o *Options) { o.Directory = "/var/\"tmp" }, "directory: must not hold quotation marks, backslashes or control characters"},
		"all of them": {func(o *Options) { *o = Options{Port: -1, Directory: "x\n"} }, "host: must be a host name or an IP address, without user and port; " +
			"port: must be from 1 to 65535, got -1; username: must be set; " +
			"private_key_file: exactly one of password, private_key_file and agent must be given, got 0; " +
			`directory: must be an absolute path without ".", "..", and a slash at its end; ` +
			"directory: must not hold quotation marks, backslashes or control characters"},
	} {
		t.Run(name, func(t *testing.T) {
			options := good
			c.change(&options)
			assert.Equal(t, c.want, transfer.Listed(options.Mistakes()))
		})
	}
}

func TestDefaults(t *testing.T) {
	t.Setenv("HOME", "/home/somebody")
	options := Options{Host: "one.example.org", User: "oneadmin"}
	assert.Equal(t, "oneadmin@one.example.org:22", options.shown())
	assert.Equal(t, "/var/tmp", options.directory())
	file, err := options.knownHostsFile()
	assert.NoError(t, err)
	assert.Equal(t, "/home/somebody/.ssh/known_hosts", file)

	t.Setenv("HOME", "")
	_, err = options.knownHostsFile()
	assert.ErrorContains(t, err, "known_hosts_file is not set, and there is no home with an .ssh/known_hosts: ")
}
