package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/nginxrun"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/nginxtest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/machine"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/nginx"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/status"
)

const testDomain = "copilot.example.org"

// edge is a machine with a settable clock and a real nginx.
type edge struct {
	*vm
	now         time.Time
	hook        string
	http, https string
	config      string
	nginx       *nginxrun.Server
}

func newEdge(t *testing.T) *edge {
	t.Helper()
	e := &edge{vm: newVM(t), now: time.Now(), http: nginxtest.FreeAddress(t), https: nginxtest.FreeAddress(t), hook: "true"}
	// nginx's workers run as an unprivileged user.
	v := filepath.Join(e.root, "/var") // exists on every system
	require.NoError(t, os.MkdirAll(v, 0o755))
	for _, dir := range []string{filepath.Dir(e.root), e.root, v} {
		require.NoError(t, os.Chmod(dir, 0o755))
	}
	return e
}

func (e *edge) run(args ...string) (code int, stderr string) {
	e.t.Helper()
	e.units.calls = nil
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
	present, err := status.Store{Root: e.root}.Load()
	require.NoError(e.t, err)
	return present
}

// Reload, Restart, TryRestart and TryReload make an edge stand in for systemd.
func (e *edge) Reload(ctx context.Context) error               { return e.units.Reload(ctx) }
func (e *edge) Restart(ctx context.Context, unit string) error { return e.units.Restart(ctx, unit) }
func (e *edge) TryRestart(ctx context.Context, unit string) error {
	return e.units.TryRestart(ctx, unit)
}
func (e *edge) TryReload(ctx context.Context, unit string) error {
	if e.nginx != nil {
		if err := e.nginx.Reload(); err != nil {
			return err
		}
	}
	return e.units.TryReload(ctx, unit)
}

func (e *edge) check(ctx context.Context) error {
	if e.config == "" {
		return nil
	}
	return nginx.Check(ctx, "-c", e.config)
}

// serve runs nginx with the certificate and the web root of the machine, with workers as the
// package's user if the test runs as root.
func (e *edge) serve() {
	e.t.Helper()
	e.nginx = nginxtest.RunAs(e.t, "www-data", nginx.Site{
		HTTPListen: []string{e.http}, HTTPSListen: []string{e.https}, Upstream: "127.0.0.1:1",
		Certificate: filepath.Join(e.root, appliance.ServerCert), Key: filepath.Join(e.root, appliance.ServerKey),
		WebRoot: filepath.Join(e.root, appliance.WebRoot), ReloadingFile: filepath.Join(e.t.TempDir(), "reloading"),
		Password: "the-password",
	}.Render(), e.http, e.https)
	e.config = e.nginx.Config
	require.NoError(e.t, e.check(e.t.Context()))
}

// await makes handshakes until one is trusted by root and accepted by wanted: while nginx
// reloads, its old workers answer too.
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

// shown makes a handshake as a client that trusts only one root.
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
