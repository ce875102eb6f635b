package nginx

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/localaitest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/nginxrun"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/nginxtest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/certs"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway"
)

const (
	// testPassword contains what is special to regular expressions, nginx and a shell.
	testPassword  = `Pa.s+$1\{x}"';#*|`
	testEngineKey = "0123456789abcdef"
)

// addressHeader has nginx take a request for one from another address.
const addressHeader = "X-Test-Address"

const elsewhere = "set_real_ip_from 127.0.0.1;\nreal_ip_header " + addressHeader + ";\n"

// server is a real nginx with the rendered site.
type server struct {
	http, https string
	root        *x509.Certificate
	rootPath    string
	webRoot     string
	// dir is where nginx writes its own files.
	dir       string
	reloading string
	site      Site
	running   *nginxrun.Server
}

// start runs nginx with the site, changed by edits, until the test ends.
func start(t testing.TB, upstream string, edits ...func(*Site)) *server {
	t.Helper()
	return startWith(t, Site.Render, upstream, edits...)
}

func startWith(t testing.TB, render func(Site) []byte, upstream string, edits ...func(*Site)) *server {
	t.Helper()
	dir := t.TempDir()
	s := &server{
		http: nginxtest.FreeAddress(t), https: nginxtest.FreeAddress(t),
		webRoot: filepath.Join(dir, "www"), reloading: filepath.Join(dir, "reloading"),
	}
	require.NoError(t, os.Mkdir(s.webRoot, 0o755))

	material, err := certs.Renew(certs.Material{}, certs.Request{Names: []string{"vm-7"}, Now: time.Now()})
	require.NoError(t, err)
	leaf := write(t, dir, "leaf.pem", material.Leaf)
	s.rootPath = write(t, s.webRoot, filepath.Base(appliance.PathCA), material.RootCert)
	s.root = parseCertificate(t, material.RootCert)

	site := Site{
		HTTPListen: []string{s.http}, HTTPSListen: []string{s.https}, Upstream: upstream,
		Certificate: leaf, Key: leaf, WebRoot: s.webRoot, ReloadingFile: s.reloading,
		Password: testPassword,
	}
	for _, edit := range edits {
		edit(&site)
	}
	s.site = site
	s.running = nginxtest.Run(t, append([]byte(elsewhere), render(site)...), s.http, s.https)
	require.NoError(t, Check(t.Context(), "-c", s.running.Config), "it finds what nginx finds")
	s.dir = s.running.Dir
	return s
}

// change has nginx read the site with edits, and returns once the workers that have read the site before
// accept no connection.
func (s *server) change(t *testing.T, edit func(*Site)) {
	t.Helper()
	edit(&s.site)
	old := s.workers(t)
	require.NotEmpty(t, old)
	write(t, s.dir, "site.conf", append([]byte(elsewhere), s.site.Render()...))
	require.NoError(t, s.running.Reload())
	require.Eventually(t, func() bool {
		present := s.workers(t)
		for id := range old {
			// nginx says so in its title before it closes the sockets, and serves nobody in between.
			if title := present[id]; title != "" && !strings.Contains(title, "shutting down") {
				return false
			}
		}
		return true
	}, time.Minute, 10*time.Millisecond)
}

// workers returns the titles of nginx's processes but the first one, by their ids.
func (s *server) workers(t *testing.T) map[string]string {
	t.Helper()
	master, err := os.ReadFile(filepath.Join(s.dir, "pid"))
	require.NoError(t, err)
	ids, err := os.ReadFile(fmt.Sprintf("/proc/%[1]s/task/%[1]s/children", strings.TrimSpace(string(master))))
	require.NoError(t, err)
	titles := map[string]string{}
	for _, id := range strings.Fields(string(ids)) {
		title, _ := os.ReadFile("/proc/" + id + "/cmdline") // it may have ended
		titles[id] = string(title)
	}
	return titles
}

func (s *server) client() *http.Client { return s.clientAt("127.0.0.1") }

// clientAt returns a client that connects from the address.
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

// engine starts a fake engine that accepts only the gateway's key, and a gateway in front of it. It
// returns the gateway's address.
func engine(t testing.TB, options localaitest.Options) string {
	t.Helper()
	options.Keys = []string{testEngineKey}
	return gatewayTo(t, localaitest.NewServer(t, options).Address)
}

// gatewayTo starts a gateway to the engine with an address.
func gatewayTo(t testing.TB, engine string, edits ...func(*gateway.Config)) (address string) {
	t.Helper()
	config := &gateway.Config{Model: appliance.ModelID, Created: 1795376243, ContextSize: 32768, Slots: 1, Engine: engine, ReadTimeout: 60}
	for _, edit := range edits {
		edit(config)
	}
	server := httptest.NewServer(gateway.New(config, testEngineKey, slog.New(slog.DiscardHandler)))
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

func write(t testing.TB, dir, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	require.NoError(t, os.WriteFile(path, content, 0o600))
	return path
}
