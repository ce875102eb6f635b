package nginx

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
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

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/localaitest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/tlsca"
)

const (
	// testPassword holds what regular expressions, nginx and a shell give a meaning to.
	testPassword  = `Pa.s+$1\{x}"';#*|`
	testEngineKey = "0123456789abcdef"
)

// server is a real nginx with the rendered site, in front of a stand-in for the engine.
type server struct {
	http, https string
	root        *x509.Certificate
	rootPath    string
	webRoot     string
	// dir is where nginx keeps its own files.
	dir       string
	reloading string
}

// start runs nginx with the site, changed by edits, until the test ends.
func start(t *testing.T, upstream string, edits ...func(*Site)) *server {
	t.Helper()
	return startWith(t, Site.Render, upstream, edits...)
}

func startWith(t *testing.T, render func(Site) []byte, upstream string, edits ...func(*Site)) *server {
	t.Helper()
	_, err := exec.LookPath("nginx")
	require.NoError(t, err, "nginx is missing: run make setup")
	dir := t.TempDir()
	s := &server{
		http: freeAddress(t), https: freeAddress(t),
		dir: dir, webRoot: filepath.Join(dir, "www"), reloading: filepath.Join(dir, "reloading"),
	}
	require.NoError(t, os.Mkdir(s.webRoot, 0o755))

	material, err := tlsca.Renew(tlsca.Material{}, tlsca.Request{Names: []string{"vm-7"}, Now: time.Now()})
	require.NoError(t, err)
	leaf := write(t, dir, "leaf.pem", material.Leaf)
	s.rootPath = write(t, s.webRoot, filepath.Base(appliance.PathCA), material.RootCert)
	s.root = parseCertificate(t, material.RootCert)

	site := Site{
		HTTPListen: []string{s.http}, HTTPSListen: []string{s.https}, Upstream: upstream,
		Certificate: leaf, Key: leaf, WebRoot: s.webRoot, ReloadingFile: s.reloading,
		Password: testPassword, EngineKey: testEngineKey, ReadTimeout: time.Minute,
	}
	for _, edit := range edits {
		edit(&site)
	}
	config := write(t, dir, "nginx.conf", []byte(mainConfig(dir, write(t, dir, "site.conf", render(site)))))
	require.NoError(t, Check(t.Context(), "-c", config))
	run(t, config, s.http, s.https)
	return s
}

// mainConfig is the least nginx needs around a site, with every path in dir.
func mainConfig(dir, site string) string {
	user := ""
	if os.Getuid() == 0 {
		user = "user root;" // the directory of a test is closed to others
	}
	temp := ""
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		temp += fmt.Sprintf("%s_temp_path %s/%s;\n", kind, dir, kind)
	}
	return fmt.Sprintf("%s\ndaemon off;\npid %s/pid;\nerror_log stderr;\nevents {}\nhttp {\naccess_log off;\n%sinclude %s;\n}\n",
		user, dir, temp, site)
}

func run(t *testing.T, config string, addresses ...string) {
	t.Helper()
	command := exec.Command("nginx", "-c", config)
	command.Stderr = os.Stderr
	// nginx dies with the test, even if the test is killed.
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	require.NoError(t, command.Start())
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	t.Cleanup(func() {
		_ = command.Process.Signal(syscall.SIGTERM)
		<-ended
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for _, address := range addresses {
		for {
			connection, err := net.Dial("tcp", address)
			if err == nil {
				connection.Close()
				break
			}
			select {
			case err := <-ended:
				ended <- err
				t.Fatalf("nginx ended: %v", err)
			case <-ctx.Done():
				t.Fatalf("nginx does not listen on %s", address)
			case <-time.After(10 * time.Millisecond):
			}
		}
	}
}

func (s *server) client() *http.Client { return s.clientAt("127.0.0.1") }

// clientAt gives a client whose connections come from an address.
func (s *server) clientAt(address string) *http.Client {
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
	return &http.Client{
		Transport: &http.Transport{
			DialContext: dialer.DialContext, TLSClientConfig: s.tls(), DisableKeepAlives: true, DisableCompression: true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func (s *server) tls() *tls.Config {
	roots := x509.NewCertPool()
	roots.AddCert(s.root)
	return &tls.Config{RootCAs: roots, ServerName: "vm-7"}
}

func (s *server) url() string { return "https://" + s.https }

// engine starts a stand-in that lets in nobody but nginx.
func engine(t *testing.T, options localaitest.Options) *localaitest.Server {
	t.Helper()
	options.Keys = []string{testEngineKey}
	return localaitest.NewServer(t, options)
}

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	return "127.0.0.1:" + strconv.Itoa(listener.Addr().(*net.TCPAddr).Port)
}

func write(t *testing.T, dir, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	require.NoError(t, os.WriteFile(path, content, 0o600))
	return path
}
