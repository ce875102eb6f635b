package nginx

import (
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/localaitest"
)

func TestRefusedSettings(t *testing.T) {
	// An engine that would answer, to see that nginx does not ask it.
	s := startWith(t, Site.RenderRefused, engine(t, localaitest.Options{}))
	ask := func(method, url, password string) answer {
		t.Helper()
		request, err := http.NewRequest(method, url, strings.NewReader(chatBody))
		require.NoError(t, err)
		request.Header.Set("Origin", "https://page.example.org")
		request.Header.Set("X-Api-Key", password)
		return do(t, s, request)
	}
	for route, methods := range map[string]string{
		"POST " + appliance.PathChat: "POST", "POST " + appliance.PathCompletions: "POST", "GET " + appliance.PathModels: "GET, HEAD",
		"POST " + appliance.PathResponses: "POST", "POST " + appliance.PathMessages: "POST", "POST " + appliance.PathCountTokens: "POST",
		"GET " + appliance.PathMetrics: "GET, HEAD", "GET " + appliance.PathHealth: "GET, HEAD", "GET " + appliance.PathReadyz: "GET, HEAD",
		"GET /other": "GET, HEAD, POST",
	} {
		method, path, _ := strings.Cut(route, " ")
		for _, password := range []string{"", testPassword} {
			response := ask(method, s.url()+path, password)
			assert.Equal(t, 503, response.StatusCode, route)
			assert.Equal(t, "settings_refused", errorCode(t, response), route)
			assert.Contains(t, response.text, "slm-copilot status", route)
			assert.Equal(t, []string{"*"}, response.Header.Values("Access-Control-Allow-Origin"), route)
			assert.Empty(t, response.Header.Values("Retry-After"), "retrying does not help")
		}
		preflight := ask(http.MethodOptions, s.url()+path, "")
		assert.Equal(t, 204, preflight.StatusCode, route)
		assert.Equal(t, methods+", OPTIONS", preflight.Header.Get("Access-Control-Allow-Methods"), route)
	}

	page := ask(http.MethodGet, s.url()+"/", "")
	assert.Equal(t, 503, page.StatusCode)
	assert.Equal(t, "text/plain", page.Header.Get("Content-Type"))
	for _, hint := range []string{"settings", "slm-copilot status", appliance.LogFile} {
		assert.Contains(t, page.text, hint)
	}

	root, err := os.ReadFile(s.rootPath)
	require.NoError(t, err)
	assert.Equal(t, string(root), ask(http.MethodGet, s.url()+appliance.PathCA, "").text)
	assert.Equal(t, string(root), ask(http.MethodGet, "http://"+s.http+appliance.PathCA, "").text)
	assert.Equal(t, 301, ask(http.MethodGet, "http://"+s.http+appliance.PathModels, "").StatusCode)
}

func TestRefusedSiteHoldsNoSecret(t *testing.T) {
	site := Site{Password: testPassword}
	require.Contains(t, string(site.Render()), regex(testPassword))
	refused := string(site.RenderRefused())
	for _, secret := range []string{testPassword, regex(testPassword)} {
		assert.NotContains(t, refused, secret)
	}
}
