// Package acmetest runs pebble, Let's Encrypt's ACME server for tests, on the loopback
// address. It resolves every host name to 127.0.0.1.
package acmetest

import (
	"context"
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
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const startTimeout = time.Minute

// Server is an ACME server that a test starts and stops.
type Server struct {
	// Directory is its URL.
	Directory string
	// CA is the CA certificate, in PEM, that clients of its API must trust.
	CA []byte

	t               *testing.T
	config, address string
	dns             string
	stop            func()
}

// New prepares a server that fetches challenges from a port of 127.0.0.1. It is not started
// yet.
func New(t *testing.T, httpPort int) *Server {
	t.Helper()
	for _, program := range []string{"pebble", "pebble-challtestsrv"} {
		_, err := exec.LookPath(program)
		require.NoError(t, err, "%s is missing: run make setup", program)
	}
	dir := t.TempDir()
	s := &Server{t: t, address: freeAddress(t), dns: freeAddress(t), config: filepath.Join(dir, "pebble.json")}
	s.Directory = "https://" + s.address + "/dir"
	certificate, key := s.makeCertificate()
	document, err := json.Marshal(map[string]any{"pebble": map[string]any{
		"listenAddress": s.address,
		// Nothing uses it, but pebble requires it.
		"managementListenAddress": freeAddress(t),
		"certificate":             certificate,
		"privateKey":              key,
		"httpPort":                httpPort,
		"tlsPort":                 1, // for TLS-ALPN challenges, which are not used
	}})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(s.config, document, 0o600))
	// It answers pebble's DNS queries; its other services are disabled.
	run(t, s.dns, nil, "pebble-challtestsrv", "-dns01", s.dns, "-defaultIPv6", "",
		"-http01", "", "-https01", "", "-tlsalpn01", "", "-management", freeAddress(t))
	return s
}

// Start runs the server until Stop or the end of the test. Accounts of earlier runs are lost.
func (s *Server) Start() {
	s.t.Helper()
	env := []string{"PEBBLE_VA_NOSLEEP=1", "PEBBLE_WFE_NONCEREJECT=0"}
	s.stop = run(s.t, s.address, env, "pebble", "-config", s.config, "-dnsserver", s.dns)
}

// Stop stops the server.
func (s *Server) Stop() { s.stop() }

// Root returns the root of the certificates that the running server issues.
func (s *Server) Root() *x509.Certificate {
	s.t.Helper()
	var server struct {
		Pebble struct{ ManagementListenAddress string }
	}
	text, err := os.ReadFile(s.config)
	require.NoError(s.t, err)
	require.NoError(s.t, json.Unmarshal(text, &server))
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM(s.CA)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trusted}, DisableKeepAlives: true}}
	answer, err := client.Get("https://" + server.Pebble.ManagementListenAddress + "/roots/0")
	require.NoError(s.t, err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	require.NoError(s.t, err)
	block, _ := pem.Decode(body)
	require.NotNil(s.t, block, "%s: %s", answer.Status, body)
	root, err := x509.ParseCertificate(block.Bytes)
	require.NoError(s.t, err)
	return root
}

// makeCertificate creates the API's self-signed certificate. It is valid for the loopback
// address, and for the address at which QEMU guests reach that.
func (s *Server) makeCertificate() (certificate, key string) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(s.t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "pebble"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv4(10, 0, 2, 2)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	require.NoError(s.t, err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(s.t, err)
	s.CA = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	dir := filepath.Dir(s.config)
	certificate, key = filepath.Join(dir, "api.pem"), filepath.Join(dir, "api.key")
	require.NoError(s.t, os.WriteFile(certificate, s.CA, 0o600))
	require.NoError(s.t, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), 0o600))
	return certificate, key
}

// run starts a program and waits until it listens.
func run(t *testing.T, address string, env []string, program string, args ...string) (stop func()) {
	t.Helper()
	command := exec.Command(program, args...)
	command.Env = append(os.Environ(), env...)
	// The process is killed with the test, even if the test itself is killed.
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	require.NoError(t, err)
	command.Stdout, command.Stderr = log, log
	require.NoError(t, command.Start())
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	stop = func() {
		_ = command.Process.Kill()
		<-ended
		ended <- nil
		log.Close()
	}
	t.Cleanup(stop)
	ctx, cancel := context.WithTimeout(t.Context(), startTimeout)
	defer cancel()
	for {
		if connection, err := (&net.Dialer{}).DialContext(ctx, "tcp", address); err == nil {
			connection.Close()
			return stop
		}
		select {
		case err := <-ended:
			ended <- err
			said, _ := os.ReadFile(log.Name())
			t.Fatalf("%s ended: %v\n%s", program, err, said)
		case <-ctx.Done():
			t.Fatalf("%s does not listen on %s", program, address)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(listener.Addr().(*net.TCPAddr).Port))
}
