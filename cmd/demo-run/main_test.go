package main

import (
	"bytes"
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
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/acceptance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/qemuvmtest"
)

func TestUsage(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, run([]string{"-h"}, &out))
	assert.Equal(t, usage, out.String())
	for _, arguments := range [][]string{nil, {"a", "b"}, {"-cpus", "2", "a"}, {"-memory", "much", "a"}} {
		assert.ErrorContains(t, run(arguments, io.Discard), "usage: run [-memory MIB]", "%q", arguments)
	}
}

func TestEveryMissingProgramIsNamed(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	err := run([]string{"image.qcow2"}, io.Discard)
	assert.ErrorContains(t, err, "qemu-img is not installed")
	assert.ErrorContains(t, err, "xorriso is not installed")
}

// transcript is an output that can be read while it is written.
type transcript struct {
	mu   sync.Mutex
	text strings.Builder
}

func (t *transcript) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.Write(p)
}

func (t *transcript) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.text.String()
}

// start runs a guest of the given code; the result comes when it has ended.
func start(t *testing.T, out io.Writer, code ...[]byte) <-chan error {
	t.Helper()
	image := qemuvmtest.Image(t, t.TempDir(), code...)
	t.Setenv("TMPDIR", t.TempDir())
	result := make(chan error, 1)
	go func() { result <- run([]string{"-memory", "64", image}, out) }()
	return result
}

func assertNothingLeft(t *testing.T) {
	t.Helper()
	left, err := os.ReadDir(os.TempDir())
	require.NoError(t, err)
	assert.Empty(t, left)
}

func TestCtrlCPowersDownAndLeavesNothing(t *testing.T) {
	out := new(transcript)
	result := start(t, out, qemuvmtest.Greet, qemuvmtest.AwaitButton, qemuvmtest.PowerOff, qemuvmtest.Halt)
	interruptAfter(t, out, "waiting for the web server")
	require.NoError(t, <-result)
	assert.Contains(t, out.String(), "Powering the virtual machine down")
	assert.NotContains(t, out.String(), "Pulling the plug.")
	assertNothingLeft(t)
}

func TestASecondCtrlCPullsThePlug(t *testing.T) {
	out := new(transcript)
	result := start(t, out, qemuvmtest.Greet, qemuvmtest.Halt)
	interruptAfter(t, out, "waiting for the web server")
	interruptAfter(t, out, "Powering the virtual machine down")
	require.NoError(t, <-result)
	assert.Contains(t, out.String(), "Pulling the plug.")
	assertNothingLeft(t)
}

// interruptAfter presses Ctrl-C when the text has been printed.
func interruptAfter(t *testing.T, out *transcript, text string) {
	t.Helper()
	require.Eventually(t, func() bool { return strings.Contains(out.String(), text) }, time.Minute, time.Millisecond)
	require.NoError(t, syscall.Kill(os.Getpid(), syscall.SIGINT))
}

func TestAGuestThatEndsIsReported(t *testing.T) {
	err := <-start(t, io.Discard, qemuvmtest.Greet, qemuvmtest.PowerOff, qemuvmtest.Halt)
	assert.ErrorContains(t, err, "the guest powered itself off")
	assertNothingLeft(t)
}

func TestAMissingImageIsNamed(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	assert.ErrorContains(t, run([]string{"none.qcow2"}, io.Discard), "none.qcow2: no such file or directory")
	assertNothingLeft(t)
}

// The printed lines, pasted into a shell, must reach the appliance.
func TestTheInstructionsWorkAsPasted(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "root"}, NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	asked := make(chan string, 1)
	server := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/ca.pem" {
			_ = pem.Encode(w, &pem.Block{Type: "CERTIFICATE", Bytes: der})
			return
		}
		var question struct{ Model string }
		_ = json.NewDecoder(r.Body).Decode(&question)
		asked <- r.URL.Path + " " + r.Header.Get("Authorization") + " " + question.Model
		_, _ = io.WriteString(w, "hello")
	})
	plain := httptest.NewServer(server)
	defer plain.Close()
	secure := httptest.NewUnstartedServer(server)
	secure.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MinVersion: tls.VersionTLS12}
	secure.StartTLS()
	defer secure.Close()

	text := instructions(&acceptance.Target{
		HTTP: plain.Listener.Addr().String(), HTTPS: secure.Listener.Addr().String(),
		Password: "Correct-Horse-1", Model: "devstral-small-2",
	})
	assert.Contains(t, text, "Endpoint   https://127.0.0.1:")
	var pasted []string
	for _, line := range strings.Split(text, "\n") {
		if strings.HasPrefix(line, "curl ") {
			pasted = append(pasted, line)
		}
	}
	require.Len(t, pasted, 2)
	shell := exec.Command("sh", "-ec", strings.Join(pasted, "\n"))
	shell.Dir = t.TempDir()
	got, err := shell.CombinedOutput()
	require.NoError(t, err, "%s", got)
	assert.Equal(t, "hello", string(got))
	assert.Equal(t, "/v1/chat/completions Bearer Correct-Horse-1 devstral-small-2", <-asked)
}
