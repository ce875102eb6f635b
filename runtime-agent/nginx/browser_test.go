package nginx

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
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

// What CORS headers are worth, only a browser knows.
func TestBrowser(t *testing.T) {
	pages, results := servePages(t)
	// To a browser the same server under another name is another origin.
	unlisted := strings.Replace(pages, "127.0.0.1", "localhost", 1)
	upstream := engine(t, localaitest.Options{}).Address
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
			browse(t, tt.origin+"/page.html#"+url.PathEscape(string(config)))
			select {
			case got := <-results:
				assert.Equal(t, tt.want, got)
			case <-time.After(time.Minute):
				t.Fatal("the page did not tell what it saw")
			}
		})
	}
}

// servePages serves the page, and gives what it sends back.
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

// browse opens the page in a browser until the test ends.
func browse(t *testing.T, page string) {
	t.Helper()
	chromium, err := exec.LookPath("chromium")
	require.NoError(t, err, "chromium is missing: run make setup")
	profile, err := os.MkdirTemp("", "browser-")
	require.NoError(t, err)
	command := exec.Command(chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync",
		// The root certificate of the test is in no store of the browser's.
		"--ignore-certificate-errors", "--user-data-dir="+profile, page)
	command.Env = append(os.Environ(), "HOME="+profile)
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
