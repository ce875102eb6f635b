package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/machine"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/nginx"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/plan"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/status"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/tlsca"
)

const testDomain = "copilot.example.org"

// edge is a machine with a clock of its own and a real nginx.
type edge struct {
	*vm
	now         time.Time
	hook        string
	http, https string
	config      string
	nginx       *exec.Cmd
}

func newEdge(t *testing.T) *edge {
	t.Helper()
	e := &edge{vm: newVM(t), now: time.Now(), http: freeAddress(t), https: freeAddress(t), hook: "true"}
	// The workers of nginx are nobody in particular.
	v := filepath.Join(e.root, "/var") // every system has it
	require.NoError(t, os.MkdirAll(v, 0o755))
	for _, dir := range []string{filepath.Dir(e.root), e.root, v} {
		require.NoError(t, os.Chmod(dir, 0o755))
	}
	return e
}

func (e *edge) run(args ...string) (code int, stderr string) {
	e.t.Helper()
	e.units.told = nil
	var out, err bytes.Buffer
	code = run(e.t.Context(), append([]string{"--root", e.root}, args...), &out, &err, func(root string) app {
		a := newApp(root)
		a.now = func() time.Time { return e.now }
		a.facts = func() (machine.Facts, error) { return e.facts, nil }
		a.units = e
		a.checkProxy = e.check
		a.baseURL = "https://" + e.https
		a.pause = 500 * time.Millisecond
		a.certbot.Hook = e.hook
		return a
	})
	return code, err.String()
}

func (e *edge) configure(values map[string]string) {
	e.t.Helper()
	code, stderr := e.run("configure", "--context", e.context(values))
	require.Zero(e.t, code, stderr)
}

func (e *edge) certificate() (stderr string) {
	e.t.Helper()
	code, stderr := e.run("certificate")
	require.Zero(e.t, code, stderr)
	return stderr
}

func (e *edge) status() status.Status {
	e.t.Helper()
	present, err := app{root: e.root}.store().Load()
	require.NoError(e.t, err)
	return present
}

// Reload, Restart, TryRestart and TryReload make an edge what the agent takes for systemd.
func (e *edge) Reload(ctx context.Context) error               { return e.units.Reload(ctx) }
func (e *edge) Restart(ctx context.Context, unit string) error { return e.units.Restart(ctx, unit) }
func (e *edge) TryRestart(ctx context.Context, unit string) error {
	return e.units.TryRestart(ctx, unit)
}
func (e *edge) TryReload(ctx context.Context, unit string) error {
	if e.nginx != nil {
		_ = e.nginx.Process.Signal(syscall.SIGHUP)
	}
	return e.units.TryReload(ctx, unit)
}

func (e *edge) check(ctx context.Context) error {
	if e.config == "" {
		return nil
	}
	return nginx.Check(ctx, "-c", e.config)
}

// serve runs nginx with the certificate and the web root of the machine, as the user the
// package gives to its workers where the test may do that.
func (e *edge) serve() {
	e.t.Helper()
	_, err := exec.LookPath("nginx")
	require.NoError(e.t, err, "nginx is missing: run make setup")
	dir := e.t.TempDir()
	site := nginx.Site{
		HTTPListen: []string{e.http}, HTTPSListen: []string{e.https}, Upstream: "127.0.0.1:1",
		Certificate: filepath.Join(e.root, appliance.ServerCert), Key: filepath.Join(e.root, appliance.ServerKey),
		WebRoot: filepath.Join(e.root, appliance.WebRoot), ReloadingFile: filepath.Join(dir, "reloading"),
		Password: "the-password", EngineKey: "the-engine-key", ReadTimeout: time.Minute,
	}
	require.NoError(e.t, os.WriteFile(filepath.Join(dir, "site"), site.Render(), 0o600))
	user := ""
	if os.Getuid() == 0 {
		user = "user www-data;\n"
	}
	temp := ""
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		temp += fmt.Sprintf("%s_temp_path %s/%s;\n", kind, dir, kind)
	}
	config := filepath.Join(dir, "nginx.conf")
	require.NoError(e.t, os.WriteFile(config, fmt.Appendf(nil,
		"%sdaemon off;\npid %s/pid;\nerror_log stderr;\nevents {}\nhttp {\naccess_log off;\n%sinclude %s/site;\n}\n", user, dir, temp, dir), 0o600))
	e.config = config
	require.NoError(e.t, e.check(e.t.Context()))
	e.nginx = exec.Command("nginx", "-c", config)
	e.nginx.Stderr = os.Stderr
	e.nginx.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	require.NoError(e.t, e.nginx.Start())
	e.t.Cleanup(func() {
		_ = e.nginx.Process.Signal(syscall.SIGTERM)
		_ = e.nginx.Wait()
	})
	for _, address := range []string{e.http, e.https} {
		require.Eventually(e.t, func() bool {
			conn, err := net.Dial("tcp", address)
			if err == nil {
				conn.Close()
			}
			return err == nil
		}, time.Minute, 10*time.Millisecond, "nginx listens")
	}
}

// await makes handshakes until there is one that root and wanted are content with: while
// nginx reloads, its old workers answer too.
func (e *edge) await(root *x509.Certificate, wanted func(*x509.Certificate) bool) *x509.Certificate {
	e.t.Helper()
	var leaf *x509.Certificate
	require.Eventually(e.t, func() (met bool) {
		var err error
		leaf, err = e.shown(root)
		return err == nil && wanted(leaf)
	}, time.Minute, 20*time.Millisecond)
	return leaf
}

func anything(*x509.Certificate) bool { return true }

func otherThan(old *x509.Certificate) func(*x509.Certificate) bool {
	return func(leaf *x509.Certificate) bool { return !leaf.Equal(old) }
}

// shown makes a handshake as a client would that trusts one root only.
func (e *edge) shown(root *x509.Certificate) (*x509.Certificate, error) {
	roots := x509.NewCertPool()
	roots.AddCert(root)
	conn, err := tls.Dial("tcp", e.https, &tls.Config{ServerName: testDomain, RootCAs: roots, Time: func() time.Time { return e.now }})
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0], nil
}

func (e *edge) ownRoot() *x509.Certificate {
	e.t.Helper()
	return parseBlock(e.t, e.read(appliance.CACert))
}

func parseBlock(t testing.TB, text string) *x509.Certificate {
	t.Helper()
	block, _ := pem.Decode([]byte(text))
	require.NotNil(t, block)
	certificate, err := x509.ParseCertificate(block.Bytes)
	require.NoError(t, err)
	return certificate
}

func (e *edge) httpPort() int {
	_, port, _ := net.SplitHostPort(e.http)
	number, _ := strconv.Atoi(port)
	return number
}

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	return listener.Addr().String()
}

// operators makes a certificate as another authority would.
func operators(t *testing.T, name string, at time.Time) (certificate, key string, root *x509.Certificate) {
	t.Helper()
	material, err := tlsca.Renew(tlsca.Material{}, tlsca.Request{Names: []string{name}, Now: at})
	require.NoError(t, err)
	first, rest := pem.Decode(material.Leaf)
	return string(pem.EncodeToMemory(first)), string(rest), parseBlock(t, string(material.RootCert))
}

func operatorContext(certificate, key string) map[string]string {
	return map[string]string{
		appliance.VarDomain: testDomain, appliance.VarCertificate: certificate, appliance.VarKey: key,
		appliance.VarACMEDirectory: "https://127.0.0.1:1/dir", // nobody must ask there
	}
}

func TestTheOperatorsCertificateIsServed(t *testing.T) {
	e := newEdge(t)
	e.configure(nil)
	e.serve()
	own := e.ownRoot()
	certificate, key, root := operators(t, testDomain, e.now)
	e.configure(operatorContext(certificate, key))
	assert.Equal(t, []string{"reload " + appliance.NginxUnit}, e.units.told, "the model need not prove itself again")
	e.await(root, anything)
	present := e.status()
	assert.Equal(t, status.SourceOperator, present.Certificate.Source)
	assert.Equal(t, tlsca.Fingerprint(parseBlock(t, certificate)), present.Certificate.Fingerprint)
	assert.Equal(t, testDomain, present.Host)
	assert.Empty(t, present.Warnings)
	assert.Equal(t, e.read(appliance.CACert), e.read(appliance.WebRoot+appliance.PathCA), "the own root is still offered")
	assertNoSecretIsReadable(t, e.vm, strings.Split(key, "\n")[2])

	before := e.snapshot()
	e.certificate()
	assert.Equal(t, before, e.snapshot())
	assert.Empty(t, e.units.told)

	// It expires while the machine runs.
	e.now = e.now.AddDate(2, 0, 0)
	stderr := e.certificate()
	assert.Contains(t, stderr, "expired on")
	e.await(own, anything)
	present = e.status()
	assert.Equal(t, status.SourceOwn, present.Certificate.Source)
	assert.Contains(t, strings.Join(present.Warnings, "\n"), "expired on")
	assert.Empty(t, e.read(plan.OperatorFile), "a key that is not in use is not kept twice")
}

func TestAnOperatorsCertificateThatCannotBeUsed(t *testing.T) {
	now := time.Now()
	certificate, key, _ := operators(t, testDomain, now)
	expired, expiredKey, _ := operators(t, testDomain, now.AddDate(-2, 0, 0))
	early, earlyKey, _ := operators(t, testDomain, now.AddDate(1, 0, 0))
	other, otherKey, _ := operators(t, "other.example.org", now)
	tests := map[string]struct {
		certificate, key, warning, mistake string
	}{
		"expired":         {expired, expiredKey, "expired on", ""},
		"not yet valid":   {early, earlyKey, "valid from", ""},
		"another name":    {other, otherKey, "not for " + testDomain, ""},
		"another's key":   {certificate, otherKey, "", "no pair that works"},
		"no certificate":  {"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", key, "", "no pair that works"},
		"key is rubbish":  {certificate, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "", "no pair that works"},
		"a broken issuer": {certificate + "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", key, "", "certificate 2 of the chain"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			e := newEdge(t)
			e.configure(map[string]string{appliance.VarDomain: testDomain})
			root := e.read(appliance.CACert)
			values := operatorContext(tt.certificate, tt.key)
			if tt.mistake != "" {
				values[appliance.VarThreads] = "many"
				code, stderr := e.run("configure", "--context", e.context(values))
				assert.Equal(t, 1, code)
				assert.Contains(t, stderr, appliance.VarCertificate)
				assert.Contains(t, stderr, tt.mistake)
				assert.Contains(t, stderr, appliance.VarThreads, "all mistakes at once")
				assert.Len(t, e.status().Mistakes, 2)
				return
			}
			e.configure(values)
			present := e.status()
			require.Len(t, present.Warnings, 1)
			assert.Contains(t, present.Warnings[0], tt.warning)
			assert.Equal(t, status.SourceOwn, present.Certificate.Source)
			assert.Equal(t, e.read(plan.LeafFile), e.read(appliance.ServerCert))
			assert.Equal(t, e.read(plan.LeafFile), e.read(appliance.ServerKey))
			assert.Equal(t, root, e.read(appliance.CACert))
		})
	}
}

func TestAClockThatIsNotSet(t *testing.T) {
	e := newEdge(t)
	now := e.now
	e.now = time.Unix(3, 0)
	certificate, key, _ := operators(t, testDomain, now)
	e.configure(operatorContext(certificate, key))
	assert.Equal(t, status.SourceOperator, e.status().Certificate.Source)
	assert.Contains(t, strings.Join(e.status().Warnings, "\n"), "the clock is not set")

	e.configure(map[string]string{appliance.VarDomain: testDomain, appliance.VarACMEDirectory: "https://127.0.0.1:1/dir"})
	assert.Contains(t, e.certificate(), "the clock is not set (it shows 1970-01-01T00:00:03Z)")
	root := e.ownRoot()
	assert.True(t, root.NotAfter.After(now), "a user's trust in it survives the setting of the clock")

	e.now = now
	e.configure(map[string]string{appliance.VarDomain: testDomain, appliance.VarCertificate: certificate, appliance.VarKey: key})
	e.certificate()
	assert.Empty(t, e.status().Warnings)
	assert.Equal(t, root, e.ownRoot())
	leaf := parseBlock(t, e.read(plan.LeafFile))
	assert.True(t, leaf.NotAfter.After(now.AddDate(1, 0, 0)), "the leaf follows the clock")
}

func TestTheOwnCertificateIsRenewedWhileTheMachineRuns(t *testing.T) {
	e := newEdge(t)
	e.configure(map[string]string{appliance.VarDomain: testDomain, appliance.VarACMEDirectory: "https://127.0.0.1:1/dir"})
	e.serve()
	first, err := e.shown(e.ownRoot())
	require.NoError(t, err)
	present := e.status()
	present.Stage = appliance.BootstrapSuccess
	require.NoError(t, app{root: e.root, now: time.Now}.store().Save(present))

	e.facts.Addresses = append(e.facts.Addresses, netip.MustParseAddr("192.0.2.99"))
	e.certificate()
	second := e.await(e.ownRoot(), otherThan(first))
	assert.NoError(t, second.VerifyHostname("192.0.2.99"), "a network card was added")
	assert.Equal(t, []string{"reload " + appliance.NginxUnit}, e.units.told)

	e.now = second.NotAfter.Add(-29 * 24 * time.Hour)
	e.certificate()
	third := e.await(e.ownRoot(), otherThan(second))
	assert.True(t, third.NotAfter.After(second.NotAfter))
	assert.Equal(t, appliance.BootstrapSuccess, e.status().Stage, "it stays ready")
	assert.Equal(t, tlsca.Fingerprint(third), e.status().Certificate.Fingerprint)
}

func TestARefusedContextStaysRefused(t *testing.T) {
	e := newEdge(t)
	e.configure(map[string]string{appliance.VarDomain: testDomain, appliance.VarCertificate: "", appliance.VarACMEDirectory: "https://127.0.0.1:1/dir"})
	code, _ := e.run("configure", "--context", e.context(map[string]string{appliance.VarThreads: "many"}))
	require.Equal(t, 1, code)
	e.facts.CPUs, e.facts.BootID = 7, "boot-2"
	e.certificate()
	assert.Equal(t, appliance.ConfigureFailure, e.status().Stage)
	assert.NotEmpty(t, e.status().Mistakes)
	assert.NotEmpty(t, e.units.told, "the last good context is in force all the same")
}

func TestCertificateBeforeAnyContextDoesNothing(t *testing.T) {
	e := newEdge(t)
	assert.Contains(t, e.certificate(), "nothing to do")
	assert.NoFileExists(t, filepath.Join(e.root, appliance.StatusJSON))
	assert.NoFileExists(t, filepath.Join(e.root, plan.LeafFile))
}

// nginx may refuse to reload for a reason that is not ours; nobody must be told then that
// all is well.
func TestWhatIsReallyServedIsNoted(t *testing.T) {
	e := newEdge(t)
	e.configure(nil)
	e.serve()
	first := parseBlock(t, e.read(plan.LeafFile))
	e.put(appliance.ReportFile, "of before")
	stuck := e.nginx
	e.nginx = nil // it does not hear of the next change
	t.Cleanup(func() { e.nginx = stuck })
	certificate, key, _ := operators(t, testDomain, e.now)
	code, stderr := e.run("configure", "--context", e.context(operatorContext(certificate, key)))
	require.Zero(t, code, stderr)
	assert.Contains(t, stderr, "clients get another one than configured")
	present := e.status()
	assert.Equal(t, status.SourceUnknown, present.Certificate.Source)
	assert.Equal(t, tlsca.Fingerprint(first), present.Certificate.Fingerprint)
	assert.Contains(t, e.read(appliance.ReportFile), "clients get another one than configured")

	require.NoError(t, stuck.Process.Signal(syscall.SIGHUP))
	e.certificate()
	assert.Equal(t, status.SourceOperator, e.status().Certificate.Source)
	assert.Empty(t, e.status().Warnings)
	assert.NotContains(t, e.read(appliance.ReportFile), "another one than configured")
}
