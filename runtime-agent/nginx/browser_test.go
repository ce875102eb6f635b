package nginx

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/localaitest"
)

// seenByPage is what a page saw: by appliance and request.
type seenByPage map[string]map[string]string

// browsers are those that accept the arguments below, in the order in which they are tried.
var browsers = []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"}

// findBrowser returns one that runs: Ubuntu has a program of that name that only says that a
// snap is missing.
func findBrowser(ctx context.Context) (path string, err error) {
	for _, name := range browsers {
		if path, err := exec.LookPath(name); err == nil && exec.CommandContext(ctx, path, "--version").Run() == nil {
			return path, nil
		}
	}
	return "", errors.New("no browser runs here (" + strings.Join(browsers, ", ") + "): install the Debian package chromium")
}

// Only a browser shows whether the CORS headers work.
func TestBrowser(t *testing.T) {
	browser, err := findBrowser(t.Context())
	if err != nil && os.Getenv("CI") == "" {
		// Everything else can be tested without one.
		t.Skipf("NOT TESTED: what a browser makes of the CORS headers. %v", err)
	}
	require.NoError(t, err)
	pages, results := servePages(t)
	// To a browser the same server under another name is another origin.
	unlisted := strings.Replace(pages, "127.0.0.1", "localhost", 1)
	upstream := engine(t, localaitest.Options{})
	everyone := start(t, upstream)
	listed := start(t, upstream, func(s *Site) { s.CORSOrigins = []string{"https://ide.example.org", pages} })

	config, err := json.Marshal(map[string]any{
		"appliances": map[string]string{"everyone": everyone.url(), "listed": listed.url()},
		"password":   testPassword, "model": appliance.ModelID,
	})
	require.NoError(t, err)
	allowed := map[string]string{
		"models": "200 " + appliance.ModelID, "chat": "200 data: [DONE]",
		"wrongPassword": "401 invalid_api_key", "health": "200",
	}
	blocked := map[string]string{}
	for request := range allowed {
		blocked[request] = "blocked: TypeError"
	}
	for name, tt := range map[string]struct {
		origin string
		want   seenByPage
	}{
		"listed":   {pages, seenByPage{"everyone": allowed, "listed": allowed}},
		"unlisted": {unlisted, seenByPage{"everyone": allowed, "listed": blocked}},
	} {
		t.Run(name, func(t *testing.T) {
			browse(t, browser, tt.origin+"/page.html#"+url.PathEscape(string(config)))
			select {
			case got := <-results:
				assert.Equal(t, tt.want, got)
			case <-time.After(time.Minute):
				t.Fatal("the page did not report what it saw")
			}
		})
	}
}

// servePages serves the page, and returns what it sends back.
func servePages(t *testing.T) (origin string, results <-chan seenByPage) {
	t.Helper()
	received := make(chan seenByPage, 1)
	mux := http.NewServeMux()
	mux.Handle("GET /", http.FileServer(http.Dir("testdata/browser")))
	mux.HandleFunc("POST /results", func(_ http.ResponseWriter, r *http.Request) {
		var seen seenByPage
		assert.NoError(t, json.NewDecoder(r.Body).Decode(&seen))
		received <- seen
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL, received
}

// browse opens the page in a browser until the test ends, and removes all that it writes.
func browse(t *testing.T, browser, page string) {
	t.Helper()
	profile, err := os.MkdirTemp("", "browser-")
	require.NoError(t, err)
	command := exec.Command(browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync",
		// The browser does not trust the root certificate of the test.
		"--ignore-certificate-errors", "--user-data-dir="+profile, page)
	command.Env = append(os.Environ(), "HOME="+profile, "TMPDIR="+profile)
	// Its helpers end with it.
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	require.NoError(t, command.Start())
	t.Cleanup(func() {
		_ = syscall.Kill(-command.Process.Pid, syscall.SIGKILL)
		_ = command.Wait()
		// Its helpers are killed too, but may still be at a last file.
		assert.Eventually(t, func() bool { return os.RemoveAll(profile) == nil }, time.Minute, 10*time.Millisecond)
	})
}

// A program that is called like a browser but does not run is not used.
func TestABrowserThatDoesNotRunIsNotUsed(t *testing.T) {
	bin := t.TempDir()
	t.Setenv("PATH", bin)
	_, err := findBrowser(t.Context())
	assert.ErrorContains(t, err, "install the Debian package chromium")
	for name, status := range map[string]string{"chromium-browser": "10", "google-chrome": "0"} {
		require.NoError(t, os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\nexit "+status+"\n"), 0o755))
	}
	found, err := findBrowser(t.Context())
	require.NoError(t, err)
	assert.Equal(t, filepath.Join(bin, "google-chrome"), found)
}
