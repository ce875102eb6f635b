package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/acmetest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/certs/acme"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/machine"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/plan"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/status"
)

func acmeContext(server *acmetest.Server) map[string]string {
	return map[string]string{
		appliance.VarDomain: testDomain, appliance.VarACMEDirectory: server.Directory, appliance.VarACMECA: string(server.CA),
	}
}

func (e *edge) attempts() acme.Attempts {
	e.t.Helper()
	var attempts acme.Attempts
	require.NoError(e.t, json.Unmarshal([]byte(e.read(acmeAttempts)), &attempts))
	return attempts
}

// certbotRenews does what certbot's own timer does, with the environment of its service.
func (e *edge) certbotRenews() {
	e.t.Helper()
	command := exec.Command("certbot", "-q", "renew", "--force-renewal", "--no-random-sleep-on-renew",
		"--config-dir", filepath.Join(e.root, appliance.ACMEDir), "--work-dir", filepath.Join(e.root, appliance.ACMEWorkDir),
		"--logs-dir", filepath.Join(e.root, appliance.ACMELogsDir))
	command.Env = []string{"PATH=/usr/bin:/bin", "HOME=/"}
	for line := range strings.Lines(e.read(appliance.CertbotEnvFile)) {
		if name, path, found := strings.Cut(strings.TrimSpace(line), "="); found {
			command.Env = append(command.Env, name+"="+filepath.Join(e.root, path))
		}
	}
	out, err := command.CombinedOutput()
	require.NoError(e.t, err, string(out))
}

func TestACertificateFromACME(t *testing.T) {
	// The umask of one-apps' scripts: nginx's workers must be able to read the files anyway.
	old := syscall.Umask(0o077)
	t.Cleanup(func() { syscall.Umask(old) })
	e := newEdge(t)
	// The hook is a separate process, which reads the same facts.
	var err error
	e.facts, err = machine.Read("/")
	require.NoError(t, err)
	e.hook = buildAgent(t) + " --root " + e.root + " certificate --deployed"
	server := acmetest.New(t, e.httpPort())
	e.configure(acmeContext(server))
	e.serve()
	present := e.status()
	present.Stage = appliance.BootstrapSuccess
	require.NoError(t, status.Store{Root: e.root, Now: time.Now}.Save(present))
	e.put(appliance.ReportFile, "of before")

	// The server is down.
	stderr := e.certificate()
	assert.Contains(t, stderr, "WARN")
	assert.Contains(t, stderr, "Connection refused")
	_, err = e.shown(e.ownRoot())
	assert.NoError(t, err, "the certificate of the VM's own CA is served")
	assert.Contains(t, strings.Join(e.status().Warnings, "\n"), "no new certificate for "+testDomain)
	assert.Equal(t, 1, e.attempts().Failed)
	e.certificate()
	assert.Equal(t, 1, e.attempts().Failed, "it is too soon for another attempt")

	// It is up again, and no reboot is needed.
	server.Start()
	e.now = e.now.Add(11 * time.Minute)
	stderr = e.certificate()
	root := server.Root()
	require.NotContains(t, stderr, "WARN")
	first := e.await(root, anything)
	assert.NoFileExists(t, filepath.Join(e.root, acmeAttempts))
	present = e.status()
	assert.Equal(t, status.SourceACME, present.Certificate.Source)
	assert.Empty(t, present.Warnings)
	assert.Equal(t, appliance.BootstrapSuccess, present.Stage)
	assert.Contains(t, e.read(appliance.ReportFile), "source = "+status.SourceACME)
	assert.Equal(t, e.read(appliance.CACert), e.read(appliance.WebRoot+appliance.PathCA))
	info, err := os.Stat(filepath.Join(e.root, plan.ACMEFile))
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode())
	before := e.snapshot()
	e.certificate()
	assert.Equal(t, before, e.snapshot(), "nothing is due")

	// certbot renews it by itself, and the hook takes it over.
	e.certbotRenews()
	require.NoError(t, e.TryReload(t.Context(), appliance.NginxUnit)) // the hook's agent has no units
	second := e.await(root, otherThan(first))
	e.certificate()

	// It stays if the server is down or certbot's files are damaged.
	server.Stop()
	other := acmetest.New(t, e.httpPort())
	e.configure(acmeContext(other))
	assert.Contains(t, e.certificate(), "no new certificate")
	require.NoError(t, os.RemoveAll(filepath.Join(e.root, appliance.ACMEDir, "live")))
	e.certificate()
	e.await(root, second.Equal)
	assert.Equal(t, status.SourceACME, e.status().Certificate.Source)

	// It is no longer configured.
	e.configure(nil)
	require.Eventually(t, func() bool {
		_, err := e.shown(e.ownRoot())
		return err != nil && strings.Contains(err.Error(), "not "+testDomain)
	}, time.Minute, 20*time.Millisecond)
	assert.Equal(t, status.SourceOwn, e.status().Certificate.Source)
	assert.Empty(t, e.read(plan.ACMEFile))
}

func TestCertbotIsMissing(t *testing.T) {
	e := newEdge(t)
	e.configure(map[string]string{appliance.VarDomain: testDomain})
	t.Setenv("PATH", t.TempDir())
	assert.Contains(t, e.certificate(), "install the Debian package certbot")
	assert.Equal(t, status.SourceOwn, e.status().Certificate.Source)
}

// A machine that keeps dying during its attempts must not exceed the server's hourly limit.
func TestAnAttemptIsCountedBeforeItIsMade(t *testing.T) {
	e := newEdge(t)
	e.configure(map[string]string{appliance.VarDomain: testDomain, appliance.VarACMEDirectory: "https://127.0.0.1:1/dir"})
	programs, during := t.TempDir(), filepath.Join(e.root, "during")
	script := "#!/bin/sh\ncp " + filepath.Join(e.root, acmeAttempts) + " " + during + "\necho refused\nexit 1\n"
	require.NoError(t, os.WriteFile(filepath.Join(programs, "certbot"), []byte(script), 0o755))
	t.Setenv("PATH", programs+":/usr/bin:/bin")
	e.certificate()
	var counted acme.Attempts
	require.NoError(t, json.Unmarshal([]byte(e.read("/during")), &counted))
	assert.Equal(t, 1, counted.Failed)
	assert.True(t, counted.NotBefore.After(e.now))
	assert.Equal(t, 1, e.attempts().Failed, "it is counted once")
	assert.Equal(t, "refused", e.attempts().LastError)
}

// A changed context is the operator's answer to a failure: it is tried at once.
func TestAChangedOrderIsTriedAtOnce(t *testing.T) {
	e := newEdge(t)
	order := map[string]string{appliance.VarDomain: testDomain, appliance.VarACMEDirectory: "https://127.0.0.1:1/dir"}
	e.configure(order)
	e.certificate()
	assert.Equal(t, 1, e.attempts().Failed)
	order[appliance.VarACMEDirectory] = "https://127.0.0.1:2/dir"
	e.configure(order)
	assert.Empty(t, e.status().Warnings, "what failed is no longer configured")
	e.certificate()
	assert.Equal(t, "https://127.0.0.1:2/dir", e.attempts().Order.Directory)
}
