package acme

import (
	"context"
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

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/acmetest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
)

const domain = "copilot.example.org"

// site is a web root and a certbot that uses it.
type site struct {
	Certbot
	port int
	// hooked is written by the deploy hook.
	hooked string
}

func newSite(t *testing.T) *site {
	t.Helper()
	_, err := exec.LookPath("certbot")
	require.NoError(t, err, "certbot is missing: run make setup")
	dir := t.TempDir()
	s := &site{hooked: filepath.Join(dir, "hooked")}
	s.Certbot = Certbot{
		ConfigDir: filepath.Join(dir, "config"), WorkDir: filepath.Join(dir, "work"), LogsDir: filepath.Join(dir, "logs"),
		WebRoot: filepath.Join(dir, "www"), CABundle: filepath.Join(dir, "ca.pem"), Hook: "echo >> " + s.hooked,
	}
	require.NoError(t, os.Mkdir(s.WebRoot, 0o755))
	server := httptest.NewServer(http.FileServer(http.Dir(s.WebRoot)))
	t.Cleanup(server.Close)
	s.port = server.Listener.Addr().(*net.TCPAddr).Port
	return s
}

func (s *site) order(t *testing.T, server *acmetest.Server) Order {
	t.Helper()
	require.NoError(t, os.WriteFile(s.CABundle, server.CA, 0o644))
	return Order{Domain: domain, Directory: server.Directory, CADigest: "set"}
}

func (s *site) hooks(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile(s.hooked)
	if err != nil {
		require.ErrorIs(t, err, os.ErrNotExist)
	}
	return len(text)
}

func TestObtain(t *testing.T) {
	s := newSite(t)
	server := acmetest.New(t, s.port)
	server.Start()
	order := s.order(t, server)
	_, _, err := s.Present(order)
	require.ErrorIs(t, err, os.ErrNotExist)

	require.NoError(t, s.Obtain(t.Context(), order))
	first, ordered, err := s.Present(order)
	require.NoError(t, err)
	assert.True(t, ordered)
	assert.NoError(t, first.Refusal(domain, time.Now()))
	assert.Equal(t, 1, s.hooks(t))

	require.NoError(t, s.Obtain(t.Context(), order))
	again, _, err := s.Present(order)
	require.NoError(t, err)
	assert.True(t, again.Leaf.Equal(first.Leaf), "it is not due")
	assert.Equal(t, 1, s.hooks(t))
}

// A certificate from a staging server must not stay when the operator sets the real one.
func TestACertificateFromAnotherServerIsReplaced(t *testing.T) {
	s := newSite(t)
	first, second := acmetest.New(t, s.port), acmetest.New(t, s.port)
	first.Start()
	require.NoError(t, s.Obtain(t.Context(), s.order(t, first)))
	first.Stop()

	second.Start()
	order := s.order(t, second)
	before, ordered, err := s.Present(order)
	require.NoError(t, err)
	assert.False(t, ordered)
	require.NoError(t, s.Obtain(t.Context(), order))
	after, ordered, err := s.Present(order)
	require.NoError(t, err)
	assert.True(t, ordered)
	assert.False(t, after.Leaf.Equal(before.Leaf))
}

func TestFailuresAreExplained(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	s := newSite(t)
	down, up := acmetest.New(t, s.port), acmetest.New(t, s.port)
	up.Start()
	blind := acmetest.New(t, 1)
	blind.Start()
	tests := map[string]struct {
		order  func(*Order)
		server *acmetest.Server
		want   string
	}{
		"nobody listens":             {nil, down, "Connection refused"},
		"not trusted":                {func(o *Order) { o.CADigest = "" }, up, "certificate verify failed"},
		"the challenge is not found": {nil, blind, "Detail: "},
		"no such address":            {func(o *Order) { o.Email = "ops@invalid.example..org" }, up, "email"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			order := s.order(t, tt.server)
			if tt.order != nil {
				tt.order(&order)
			}
			err := s.Obtain(t.Context(), order)
			assert.ErrorContains(t, err, tt.want)
			assert.NotContains(t, err.Error(), "debug log")
			_, _, err = s.Present(order)
			assert.ErrorIs(t, err, os.ErrNotExist)
		})
	}
	t.Run("no hook", func(t *testing.T) {
		unhooked := s.Certbot
		unhooked.Hook = "/nowhere"
		assert.ErrorContains(t, unhooked.Obtain(t.Context(), s.order(t, up)), "Unable to find deploy-hook command /nowhere")
	})
	t.Run("no certbot", func(t *testing.T) {
		t.Setenv("PATH", t.TempDir())
		assert.ErrorContains(t, s.Obtain(t.Context(), s.order(t, up)), "install the Debian package certbot")
	})
	t.Run("interrupted", func(t *testing.T) {
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		assert.ErrorIs(t, s.Obtain(ended, s.order(t, up)), context.Canceled)
	})
	left, err := os.ReadDir(os.TempDir())
	require.NoError(t, err)
	for _, entry := range left {
		assert.NotContains(t, entry.Name(), "certbot")
	}
}

// scripted puts a script in place of certbot.
func scripted(t *testing.T, script string) Certbot {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "certbot"), []byte("#!/bin/sh\n"+script), 0o755))
	t.Setenv("PATH", dir+":/usr/bin:/bin")
	return Certbot{WorkDir: filepath.Join(dir, "work"), CABundle: filepath.Join(dir, "ca.pem")}
}

func TestCertbotGetsItsOwnEnvironment(t *testing.T) {
	seen := filepath.Join(t.TempDir(), "seen")
	c := scripted(t, "tr '\\0' '\\n' </proc/$$/environ >"+seen+"\n")
	t.Setenv(appliance.VarPassword, "the-password")
	t.Setenv("TMPDIR", t.TempDir())
	for name, digest := range map[string]string{"the system's trust": "", "the operator's trust": "set"} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, c.Obtain(t.Context(), Order{Domain: domain, CADigest: digest}))
			text, err := os.ReadFile(seen)
			require.NoError(t, err)
			values := map[string]string{}
			for line := range strings.Lines(string(text)) {
				name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
				values[name] = value
			}
			assert.True(t, strings.HasPrefix(values["TMPDIR"], os.TempDir()+"/"), values["TMPDIR"])
			want := map[string]string{"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "HOME": c.WorkDir, "TMPDIR": values["TMPDIR"]}
			if digest != "" {
				want["REQUESTS_CA_BUNDLE"] = c.CABundle
			}
			assert.Equal(t, want, values)
		})
	}
}

// certbot removes its challenge after SIGTERM; after SIGKILL it cannot.
func TestCertbotIsTerminated(t *testing.T) {
	dir := t.TempDir()
	started, tidied := filepath.Join(dir, "started"), filepath.Join(dir, "tidied")
	c := scripted(t, "trap 'echo >"+tidied+"; exit 1' TERM\necho >"+started+"\nwhile :; do sleep 0.05; done\n")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- c.Obtain(ctx, Order{Domain: domain}) }()
	require.Eventually(t, func() bool { _, err := os.Stat(started); return err == nil }, time.Minute, 5*time.Millisecond)
	cancel()
	assert.ErrorIs(t, <-ended, context.Canceled)
	assert.FileExists(t, tidied)
}
