package agentstest

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/localaitest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/nginxtest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/probe/clients"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/certs"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/history"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/nginx"
)

const (
	// password has characters to which shells and the files of agents give a meaning.
	password  = `$HOME{env:PATH}"\'!`
	engineKey = "0123456789abcdef"
	// bytesPerToken is about what a real model has, and what agents reckon with.
	bytesPerToken = 4
	// cacheTokens is how much the engine keeps of other conversations on a machine of the recommended
	// size: six of 12,000 tokens.
	cacheTokens = 72437
)

// machine is a running appliance.
type machine struct {
	clients.Appliance
	gateway *gateway.Gateway
}

// start runs an appliance with a model of that context size until the test ends.
func start(t *testing.T, e *engine, contextSize int, edits ...func(*gateway.Config)) machine {
	t.Helper()
	localAI := httptest.NewServer(e.before(localaitest.NewHandler(localaitest.Options{
		Models: []localaitest.Model{{Name: appliance.ModelID, ContextSize: contextSize, BytesPerToken: bytesPerToken, Template: localaitest.Devstral}},
		Keys:   []string{engineKey},
		OnRead: e.read, CacheRAM: cacheTokens * bytesPerToken,
	})))
	t.Cleanup(localAI.Close)
	config := &gateway.Config{
		Model: appliance.ModelID, Created: time.Now().Unix(), ContextSize: contextSize, Slots: 1, CacheTokens: cacheTokens,
		Engine: localAI.Listener.Addr().String(), ReadTimeout: int(time.Hour.Seconds()), History: devstral,
	}
	for _, edit := range edits {
		edit(config)
	}
	m := machine{gateway: gateway.New(config, engineKey, slog.New(slog.NewTextHandler(t.Output(), nil)))}

	dir := t.TempDir()
	plain, secure := nginxtest.FreeAddress(t), nginxtest.FreeAddress(t)
	leaf, root := certify(t, dir)
	site := nginx.Site{
		HTTPListen: []string{plain}, HTTPSListen: []string{secure}, Upstream: "unix:" + serve(t, m.gateway),
		Certificate: leaf, Key: leaf, WebRoot: dir, ReloadingFile: filepath.Join(dir, "reloading"), Password: password,
	}
	nginxtest.Run(t, site.Render(), plain, secure)
	m.Appliance = clients.Appliance{
		BaseURL: "https://" + secure + "/v1", Password: password, Model: appliance.ModelID, ContextSize: contextSize,
		Root: &clients.Root{URL: "http://" + plain + appliance.PathCA, Fingerprint: clients.Fingerprint(root)},
	}
	return m
}

// devstral is what the chat template of Devstral Small 2 refuses.
var devstral = history.Rules{Alternate: true, SystemFirst: true, User: true, CallFirst: true}

// serve returns the path of the socket on which the gateway answers until the test ends.
func serve(t *testing.T, g *gateway.Gateway) string {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "gateway")
	listener, err := net.Listen("unix", socket)
	require.NoError(t, err)
	ctx, stop := context.WithCancel(context.Background()) // the test's own is over before agents end
	ended := make(chan error, 1)
	go func() { ended <- g.Serve(ctx, listener) }()
	t.Cleanup(func() {
		stop()
		assert.NoError(t, <-ended)
	})
	return socket
}

// refused reports whether a request was answered with status 400.
func (m machine) refused(t *testing.T) bool {
	t.Helper()
	numbers := httptest.NewRecorder()
	m.gateway.ServeHTTP(numbers, httptest.NewRequest(http.MethodGet, appliance.PathMetrics, nil))
	require.Equal(t, http.StatusOK, numbers.Code)
	return strings.Contains(numbers.Body.String(), `status="400"`)
}

// certify makes the certificates of an appliance, with the root where the site has it.
func certify(t *testing.T, dir string) (leaf string, root *x509.Certificate) {
	t.Helper()
	material, err := certs.Renew(certs.Material{}, certs.Request{Names: []string{"vm-7"}, Now: time.Now()})
	require.NoError(t, err)
	write(t, dir, filepath.Base(appliance.PathCA), material.RootCert)
	block, _ := pem.Decode(material.RootCert)
	root, err = x509.ParseCertificate(block.Bytes)
	require.NoError(t, err)
	return write(t, dir, "leaf.pem", material.Leaf), root
}

func write(t *testing.T, dir, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, content, 0o600))
	return path
}
