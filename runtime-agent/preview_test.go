package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
)

func (v *vm) preview(values map[string]string) string {
	v.t.Helper()
	file := v.context(values)
	before := v.snapshot()
	code, stdout, stderr := v.run("configure", "--dry-run", "--context", file)
	require.Zero(v.t, code, stderr)
	assert.Equal(v.t, before, v.snapshot(), "nothing is written")
	assert.Empty(v.t, v.units.calls)
	return stdout
}

func TestPreviewShowsWhatWouldChangeAndNoSecret(t *testing.T) {
	v := newVM(t)
	first := v.preview(map[string]string{appliance.VarPassword: "the-password"})
	assert.Contains(t, first, "new file "+appliance.LocalAIEnvFile+", mode 0600\n")
	assert.Contains(t, first, "+LOCALAI_CONTEXT_SIZE=32768\n")
	assert.Contains(t, first, "new link "+appliance.NginxEnabled+" -> "+appliance.NginxSite+"\n")
	assert.NotContains(t, first, "the-password")
	assert.NotContains(t, first, `\x74\x68\x65`)
	assert.NotContains(t, first, "PRIVATE KEY")

	v.configure(map[string]string{appliance.VarPassword: "the-password"})
	assert.Contains(t, v.preview(map[string]string{appliance.VarPassword: "the-password"}), "nothing would change\n")

	threads := v.preview(map[string]string{appliance.VarPassword: "the-password", appliance.VarThreads: "2"})
	assert.Contains(t, threads, "\n-threads: 4\n+threads: 2\n")
	assert.Contains(t, threads, "units that would be reloaded or restarted: "+appliance.LocalAIUnit+" "+appliance.BootstrapUnit+" "+appliance.GatewayUnit+"\n")

	password := v.preview(map[string]string{appliance.VarPassword: "another-password"})
	assert.Contains(t, password, "file "+appliance.PasswordFile+", mode 0600, was 0600\n(the difference is not shown: owner, mode or a secret)\n")
	keys := v.preview(map[string]string{appliance.VarPassword: "the-password", appliance.VarKeys: "alice:tractor-lemon-37"})
	assert.Contains(t, keys, `+    "~^(?i:bearer) +***$" alice;`)
	assert.Contains(t, keys, "units that would be reloaded or restarted: "+appliance.NginxUnit+" "+appliance.GatewayUnit+"\n")
	assert.NotContains(t, keys, `\x74\x72\x61`)
	for _, secret := range []string{"the-password", "another-password", "tractor", strings.TrimSpace(v.read(appliance.EngineKeyFile))} {
		assert.NotContains(t, first+threads+password+keys, secret)
	}
}

func TestPreviewListsTheMistakes(t *testing.T) {
	v := newVM(t)
	code, _, stderr := v.run("configure", "--dry-run", "--context", v.context(map[string]string{appliance.VarThreads: "many", appliance.VarDomain: "a b"}))
	assert.Equal(t, 1, code)
	assert.Contains(t, stderr, "would be refused")
	assert.Contains(t, stderr, appliance.VarThreads)
	assert.Contains(t, stderr, appliance.VarDomain)
	assert.NoFileExists(t, v.root+appliance.StatusFile)
}

// A name in an error is shown as it is, but for what a terminal would obey.
func TestAnErrorCannotControlTheTerminal(t *testing.T) {
	v := newVM(t)
	code, _, stderr := v.run("configure", "--dry-run", "--context", v.root+"/no\x1b[2Jsuch\tfile")
	assert.Equal(t, 1, code)
	assert.Contains(t, stderr, "/no [2Jsuch\tfile")
}
