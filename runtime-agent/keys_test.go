package main

import (
	"crypto/tls"
	"crypto/x509"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/nginx"
)

// A key says who asks, so it cannot be everybody's password.
func TestAKeyThatIsTheGeneratedPasswordTakesItAway(t *testing.T) {
	v := newVM(t)
	v.configure(nil)
	generated := strings.TrimSpace(v.read(appliance.PasswordFile))
	v.configure(map[string]string{appliance.VarKeys: "alice:" + generated})
	another := v.read(appliance.PasswordFile)
	assert.Regexp(t, `^[A-Za-z0-9]{16}\n$`, another)
	assert.NotEqual(t, generated+"\n", another)
	assert.Equal(t, another, nginx.PasswordInUse([]byte(v.read(appliance.NginxSite)))+"\n")
	v.configure(nil)
	assert.Equal(t, another, v.read(appliance.PasswordFile), "it stays")
}

// A machine that is ready stays so while its keys change.
func TestKeysChangeNothingElse(t *testing.T) {
	v := newVM(t)
	v.configure(nil)
	v.serve()
	code, _, stderr := v.run("bootstrap", "--timeout", "1m")
	require.Zero(t, code, stderr)
	for _, step := range []struct{ keys, names string }{
		{"alice:k7Ge9wQz2mXx, ci:tractor-lemon-37", "alice, ci"}, {"ci:tractor-lemon-37", "ci"}, {"", ""},
	} {
		v.configure(map[string]string{appliance.VarKeys: step.keys})
		assert.NotContains(t, v.units.calls, restartBootstrap)
		assert.Equal(t, appliance.BootstrapSuccess+"\n", v.read(appliance.StatusFile))
		for what, want := range map[string]string{"report": "\nkeys = " + step.names + "\n", "status": "\nkeys:        " + step.names + "\n"} {
			code, stdout, _ := v.run(what)
			assert.Zero(t, code)
			assert.Equal(t, step.names != "", strings.Contains(stdout, want), "%s: %s", step.keys, stdout)
			assert.NotContains(t, stdout, "keys = \n")
		}
		assert.Equal(t, strings.Count(step.names, "alice"), strings.Count(v.read(appliance.ReportFile), "alice"), "the file is up to date")
		info, err := os.Stat(filepath.Join(v.root, appliance.NginxKeys))
		require.NoError(t, err)
		assert.Equal(t, fs.FileMode(0o640), info.Mode())
	}
}

// client trusts the machine's own root alone.
func (v *vm) client() *http.Client {
	roots := x509.NewCertPool()
	roots.AddCert(parseBlock(v.t, v.read(appliance.CACert)))
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, DisableKeepAlives: true}}
}
