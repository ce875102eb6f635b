package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/probe/acceptance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/probe/clients"
)

const password = "Correct-Horse-1"

// fake starts a server that answers like an appliance. Its server certificate is its own
// CA.
func fake(t *testing.T) *acceptance.Target {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "root"}, NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	root, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, "/ca.pem", r.URL.Path)
		_ = pem.Encode(w, &pem.Block{Type: "CERTIFICATE", Bytes: der})
	}))
	t.Cleanup(plain.Close)
	secure := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var question struct{ Model string }
		assert.NoError(t, json.NewDecoder(r.Body).Decode(&question))
		assert.Equal(t, "/v1/chat/completions Bearer "+password+" small", r.URL.Path+" "+r.Header.Get("Authorization")+" "+question.Model)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"choices":[{"message":{"role":"assistant","content":"hello"}}]}`)
	}))
	secure.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MinVersion: tls.VersionTLS12}
	secure.StartTLS()
	t.Cleanup(secure.Close)
	return &acceptance.Target{
		HTTP: plain.Listener.Addr().String(), HTTPS: secure.Listener.Addr().String(), Password: password, Model: "small", Root: root,
	}
}

// stub creates a script at path.
func stub(t *testing.T, path, script string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte("#!/bin/sh\n"+script), 0o755))
}

// The printed lines, pasted into a shell, must reach the appliance. aider is a stub, and so
// is Python where OpenAI's library for it is not installed.
func TestTheInstructionsWorkAsPasted(t *testing.T) {
	target := fake(t)
	checkout, dir := filepath.Join(t.TempDir(), "a check out"), t.TempDir()
	stub(t, filepath.Join(checkout, agent), `echo "check: $*"; cat`)
	bin := t.TempDir()
	stub(t, filepath.Join(bin, "aider"), `echo "aider: $OPENAI_API_BASE $OPENAI_API_KEY $(openssl x509 -in "$SSL_CERT_FILE" -noout -serial)"`)
	python := "hello"
	if exec.CommandContext(t.Context(), "python3", "-c", "import openai").Run() != nil {
		python = "python: " + target.BaseURL() + "/v1 " + password
		stub(t, filepath.Join(bin, "python3"), `echo "python: $OPENAI_BASE_URL $OPENAI_API_KEY"`)
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	installOpenAI(t, dir)

	text := instructions(target, checkout)
	script := text[strings.Index(text, "\n# "):strings.Index(text, "Ctrl-C")]
	shell := exec.CommandContext(t.Context(), "sh", "-euc", script)
	shell.Dir = dir
	shell.Stderr = os.Stderr
	said, err := shell.Output()
	require.NoError(t, err, "%s", said)
	_, port, err := net.SplitHostPort(target.HTTP)
	require.NoError(t, err)
	assert.Equal(t, strings.Join([]string{
		"sha256 Fingerprint=" + clients.Fingerprint(target.Root),
		`{"choices":[{"message":{"role":"assistant","content":"hello"}}]}hello`,
		python,
		"aider: " + target.BaseURL() + "/v1 " + password + " serial=01",
		"check: check " + target.BaseURL() + "/v1 --http-port " + port + " --ca slm-copilot-ca.pem --password-file -",
		password + "\n",
	}, "\n"), string(said))
}

// installOpenAI installs OpenAI's library for Node.
func installOpenAI(t *testing.T, dir string) {
	t.Helper()
	require.NoError(t, os.CopyFS(dir, os.DirFS("../../runtime-agent/nginx/testdata/openai")))
	install := exec.CommandContext(t.Context(), "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	install.Dir = dir
	said, err := install.CombinedOutput()
	require.NoError(t, err, "%s: run make setup if npm is missing", said)
}

// All users can see the arguments of a process. printf is a shell builtin, not a process.
func TestNoProgramGetsThePasswordAsArgument(t *testing.T) {
	text := instructions(fake(t), "/checkout")
	for line := range strings.Lines(text[strings.Index(text, "\n# "):]) { //nolint:gocritic // it is there
		if strings.Contains(line, password) {
			assert.Regexp(t, `^(printf '[^']*' '[^']*' \||export OPENAI_API_KEY='[^']*'|OPENAI_API_BASE='[^']*' OPENAI_API_KEY='[^']*' \\)\n$`, line)
		}
	}
}
