package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/localaitest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/nginxtest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/probe/acceptance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/nginx"
)

const checkedPassword = `The-"p@$$w0rd'\{}`

// checked is a configured machine with a real nginx in front of a fake engine.
type checked struct {
	*vm
	http, https string
	gateway     *gateway.Gateway
}

func serveWithNginx(t *testing.T) *checked {
	t.Helper()
	return serveContextWithNginx(t, map[string]string{"ETH0_IP": "127.0.0.1"})
}

func serveContextWithNginx(t *testing.T, values map[string]string) *checked {
	t.Helper()
	v := newVM(t)
	values[appliance.VarPassword] = checkedPassword
	v.configure(values)
	key := strings.TrimSpace(v.read(appliance.EngineKeyFile))
	return v.behindNginx(t, localaitest.NewServer(t, localaitest.Options{Keys: []string{key}}).Address)
}

// behindNginx serves a configured machine, with nginx and the gateway, whose engine has the given
// address.
func (v *vm) behindNginx(t *testing.T, engine string) *checked {
	t.Helper()
	return v.behindEditedNginx(t, engine, sameSite)
}

// behindEditedNginx does the same with an nginx whose configuration somebody has changed.
func (v *vm) behindEditedNginx(t *testing.T, engine string, edit func(site []byte) []byte) *checked {
	t.Helper()
	s := &checked{vm: v, http: nginxtest.FreeAddress(t), https: nginxtest.FreeAddress(t)}
	path := func(p string) string { return filepath.Join(v.root, p) }
	settings, _, err := lastGood(v.root)
	require.NoError(t, err)
	s.gateway = v.gatewayTo(t, engine)
	server := httptest.NewServer(s.gateway)
	t.Cleanup(server.Close)
	nginxtest.Run(t, edit(nginx.Site{
		HTTPListen: []string{s.http}, HTTPSListen: []string{s.https},
		Certificate: path(appliance.ServerCert), Key: path(appliance.ServerKey), WebRoot: path(appliance.WebRoot),
		Upstream: server.Listener.Addr().String(), ReloadingFile: path(appliance.ReloadingFile),
		Password: checkedPassword, Keys: settings.Keys,
	}.Render()), s.http, s.https)
	return s
}

// gatewayTo returns a gateway with the configuration of the machine but for the engine's address.
func (v *vm) gatewayTo(t *testing.T, engine string) *gateway.Gateway {
	t.Helper()
	config, err := gateway.ParseConfig([]byte(v.read(appliance.GatewayConfigFile)))
	require.NoError(t, err)
	config.Engine = engine
	key := strings.TrimSpace(v.read(appliance.EngineKeyFile))
	return gateway.New(config, key, slog.New(slog.NewTextHandler(t.Output(), nil)))
}

func (s *checked) ca() string { return filepath.Join(s.root, appliance.CACert) }

// check runs the command with the ports of the test, possibly on another machine.
func (s *checked) check(ctx context.Context, root, stdin string, args ...string) (code int, stdout, stderr string) {
	s.t.Helper()
	_, port, err := net.SplitHostPort(s.http)
	require.NoError(s.t, err)
	var out, errs bytes.Buffer
	code = run(ctx, append([]string{"--root", root, "check", "--http-port", port}, args...), &out, &errs, func(root string) app {
		a := newApp(root)
		a.baseURL, a.stdin = "https://"+s.https, strings.NewReader(stdin)
		return a
	})
	return code, out.String(), errs.String()
}

func TestCheck(t *testing.T) {
	type invocation struct {
		root, stdin string
		args        []string
	}
	for name, invoke := range map[string]func(s *checked) invocation{
		"this appliance": func(s *checked) invocation { return invocation{root: s.root} },
		"another, with the password in a file": func(s *checked) invocation {
			root := s.t.TempDir()
			file := filepath.Join(root, "password")
			require.NoError(s.t, os.WriteFile(file, []byte(checkedPassword+"\n"), 0o600))
			return invocation{root, "", []string{"https://" + s.https + "/v1", "--ca", s.ca(), "--password-file", file}}
		},
		"another, with the password on standard input": func(s *checked) invocation {
			return invocation{s.t.TempDir(), checkedPassword + "\r\n", []string{"--ca", s.ca(), "--password-file", "-", "https://" + s.https}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			// Each has its own nginx, which limits wrong passwords.
			s := serveWithNginx(t)
			run := invoke(s)
			t.Parallel()
			code, stdout, stderr := s.check(t.Context(), run.root, run.stdin, run.args...)
			require.Zero(t, code, stdout+stderr)
			for _, check := range acceptance.Checks() {
				assert.Contains(t, stdout, "ok    "+check.Name)
			}
			assert.Contains(t, stdout, "all "+strconv.Itoa(len(acceptance.Checks()))+" checks of https://"+s.https+" passed\n")
			assert.NotContains(t, stdout+stderr, checkedPassword)
		})
	}
}

// This appliance is checked under the name its clients use, although the request goes to an
// address that the operator's certificate is not valid for.
func TestCheckWithTheOperatorsCertificate(t *testing.T) {
	certificate, key := selfSigned(t, "copilot.example.org")
	s := serveContextWithNginx(t, map[string]string{
		appliance.VarDomain: "copilot.example.org", appliance.VarCertificate: certificate, appliance.VarKey: key,
	})
	ca := filepath.Join(t.TempDir(), "operator.pem")
	require.NoError(t, os.WriteFile(ca, []byte(certificate), 0o600))
	code, stdout, stderr := s.check(t.Context(), s.root, "", "--ca", ca)
	require.Zero(t, code, stdout+stderr)
	assert.Contains(t, stdout, "for copilot.example.org, until")
}

// selfSigned makes a self-signed certificate.
func selfSigned(t *testing.T, name string) (certificate, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{name}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	require.NoError(t, err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}))
}

func TestCheckFails(t *testing.T) {
	s := serveWithNginx(t)
	elsewhere := t.TempDir()
	rubbish := filepath.Join(elsewhere, "rubbish")
	require.NoError(t, os.WriteFile(rubbish, []byte("rubbish"), 0o600))
	ca := s.ca()
	endpoint := "https://" + s.https + "/v1"
	nobody := "https://" + nginxtest.FreeAddress(t)
	tests := map[string]struct {
		root, stdin string
		args        []string
		code        int
		want        string
	}{
		"a wrong password":         {elsewhere, "wrong-password", []string{endpoint, "--ca", ca, "--password-file", "-"}, 2, "the password is wrong (status 401)"},
		"no password":              {elsewhere, "\n", []string{endpoint, "--ca", ca, "--password-file", "-"}, 2, "read the password: it is empty"},
		"no file of that name":     {elsewhere, "", []string{endpoint, "--ca", ca, "--password-file", "/nowhere"}, 2, "read the password: open /nowhere"},
		"a password, but not ours": {elsewhere, "", []string{endpoint, "--ca", ca}, 2, "run this as root on the appliance, or pass a file with --password-file"},
		"an unknown CA":            {elsewhere, "x", []string{endpoint, "--password-file", "-"}, 2, "pass its root certificate with --ca"},
		"no certificates":          {elsewhere, "x", []string{endpoint, "--password-file", "-", "--ca", rubbish}, 2, "contains no PEM certificate"},
		"no file of certificates":  {elsewhere, "x", []string{endpoint, "--password-file", "-", "--ca", "/nowhere"}, 2, "read the certificates to trust"},
		"nobody there":             {elsewhere, "x", []string{nobody, "--password-file", "-"}, 2, "connection refused"},
		"no appliance":             {elsewhere, "", nil, 2, "never configured as an appliance"},
		"no URL":                   {elsewhere, "", []string{"copilot.example.org"}, 2, "check takes a URL such as https://"},
		"http":                     {elsewhere, "", []string{"http://copilot.example.org"}, 2, "check takes a URL such as https://"},
		"another path":             {elsewhere, "", []string{endpoint + "/models"}, 2, "check takes a URL such as https://"},
		"no port":                  {elsewhere, "", []string{"--http-port", "65536"}, 2, "--http-port: must be from 1 to 65535, got 65536"},
		"two mistakes":             {elsewhere, "", []string{"--http-port", "0", "x"}, 2, "got 0\nwrong usage: check takes a URL"},
		"two URLs":                 {elsewhere, "", []string{endpoint, endpoint}, 2, "check takes no argument"},
		"no such check":            {elsewhere, "", []string{endpoint, "--only", "chat-streams,chat", "--skip", "x"}, 2, `there is no check "chat", "x"; the keys are root-offered, certificate-trusted, `},
		"no check left":            {elsewhere, "", []string{endpoint, "--only", "chat-streams", "--skip", "chat-streams"}, 2, "no check is left"},
		"a pin and a CA":           {elsewhere, "", []string{endpoint, "--ca", ca, "--pin", strings.Repeat("0A", 32)}, 2, "--ca and --pin exclude each other"},
		"a pin of SHA-1":           {elsewhere, "", []string{endpoint, "--pin", strings.Repeat("0A", 20)}, 2, "--pin takes a SHA-256 fingerprint"},
		"a pin in words":           {elsewhere, "", []string{endpoint, "--pin", "red"}, 2, `not "red"`},
		"a pin of another":         {elsewhere, "x", []string{endpoint, "--password-file", "-", "--pin", strings.Repeat("0A", 32)}, 2, "has the fingerprint 0A0A0A"},
		"a pin of nobody":          {elsewhere, "x", []string{nobody, "--password-file", "-", "--pin", strings.Repeat("0A", 32)}, 2, "look for the pinned certificate at "},
		"no HTTP port":             {elsewhere, checkedPassword, []string{endpoint, "--ca", ca, "--password-file", "-", "--http-port", "1", "--only", "http-redirects"}, 2, "ask the HTTP port, which is all there is to check"},
		"no such flag":             {elsewhere, "", []string{endpoint, "--insecure"}, 2, "flag provided but not defined: -insecure"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			code, stdout, stderr := s.check(t.Context(), tt.root, tt.stdin, tt.args...)
			assert.Equal(t, tt.code, code, stderr)
			assert.Contains(t, stderr, tt.want)
			assert.Empty(t, stdout)
		})
	}
}

// A failed check fails the command, and the others still run.
func TestCheckReportsAFailedCheck(t *testing.T) {
	s := serveWithNginx(t)
	require.NoError(t, os.Remove(filepath.Join(s.root, appliance.WebRoot, appliance.PathCA)))
	code, stdout, stderr := s.check(t.Context(), s.root, "")
	assert.Equal(t, 1, code)
	assert.Contains(t, stdout, "FAIL  root certificate is offered")
	assert.Contains(t, stdout, "      Run `slm-copilot configure` on the appliance")
	assert.Contains(t, stdout, "ok    administration is closed")
	assert.Contains(t, stderr, "1 of "+strconv.Itoa(len(acceptance.Checks()))+" checks of https://"+s.https+" failed")
}

func TestCheckCanBeInterrupted(t *testing.T) {
	s := serveWithNginx(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	code, _, stderr := s.check(ctx, s.root, "")
	assert.Equal(t, 2, code)
	assert.Contains(t, stderr, "context canceled")
}

// A firewall may leave only the HTTPS port open.
func TestCheckSkipsAnHTTPPortThatItCannotReach(t *testing.T) {
	s := serveWithNginx(t)
	s.http = "127.0.0.1:1"
	code, stdout, stderr := s.check(t.Context(), s.root, "")
	require.Zero(t, code, stdout+stderr)
	assert.Contains(t, stdout, "skip  the checks of the HTTP port: ")
	assert.NotContains(t, stdout, "http redirects to https")
	assert.Contains(t, stdout, "all "+strconv.Itoa(len(acceptance.OverHTTPS(acceptance.Checks())))+" checks of")
}

// What a shell passes as the output of a command is a FIFO; one that nobody writes to is empty.
func TestThePasswordMayComeFromAFIFO(t *testing.T) {
	s := serveWithNginx(t)
	fifo := filepath.Join(t.TempDir(), "fifo")
	require.NoError(t, syscall.Mkfifo(fifo, 0o600))
	code, _, stderr := s.check(t.Context(), s.root, "", "--password-file", fifo)
	assert.Equal(t, 2, code)
	assert.Contains(t, stderr, "read the password: it is empty")
	code, _, stderr = s.check(t.Context(), s.root, "", "--ca", "/dev/zero")
	assert.Equal(t, 2, code)
	assert.Contains(t, stderr, "a device or a directory, not a file")

	writer, err := os.OpenFile(fifo, os.O_RDWR, 0)
	require.NoError(t, err)
	reader, err := os.OpenFile(fifo, os.O_RDONLY, 0)
	require.NoError(t, err)
	defer reader.Close()
	_, err = writer.WriteString(checkedPassword + "\n")
	require.NoError(t, err)
	require.NoError(t, writer.Close())
	code, stdout, stderr := s.check(t.Context(), s.root, "", "--password-file", fifo)
	assert.Zero(t, code, stdout+stderr)
}
