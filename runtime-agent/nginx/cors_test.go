package nginx

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/localaitest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/nginxtest"
)

func TestListedOrigins(t *testing.T) {
	// Longer than a bucket of nginx's hash tables.
	long := "https://" + strings.Repeat("a-long-label.", 18) + "example.org:8443"
	origins := []string{"http://localhost:3000", "https://ide.example.org", long, "null", "app://obsidian.md", "vscode-webview://0a1b"}
	edit := func(s *Site) { s.CORSOrigins = append([]string{"vscode-webview://"}, origins[:5]...) }
	up := start(t, engine(t, localaitest.Options{}), edit)
	down := start(t, gatewayTo(t, nginxtest.FreeAddress(t)), edit)
	for name, tt := range map[string]struct {
		server            *server
		method, path, key string
		status            int
	}{
		"models":         {up, "GET", appliance.PathModels, testPassword, 200},
		"preflight":      {up, "OPTIONS", appliance.PathChat, "", 204},
		"health":         {up, "GET", appliance.PathHealth, "", 200},
		"certificate":    {up, "GET", appliance.PathCA, "", 200},
		"bad JSON":       {up, "POST", appliance.PathChat, testPassword, 400},
		"wrong password": {up, "GET", appliance.PathModels, "wrong", 401},
		"unknown path":   {up, "GET", "/v1/embeddings", testPassword, 404},
		"wrong method":   {up, "DELETE", appliance.PathModels, testPassword, 405},
		"responses":      {up, "POST", appliance.PathResponses, testPassword, 400},
		"messages":       {up, "POST", appliance.PathMessages, testPassword, 400},
		"count":          {up, "POST", appliance.PathCountTokens, testPassword, 400},
		"one model":      {up, "GET", "/models/" + appliance.ModelID, testPassword, 200},
		"messages first": {up, "OPTIONS", appliance.PathMessages, "", 204},
		"down":           {down, "GET", appliance.PathHealth, "", 503},
	} {
		t.Run(name, func(t *testing.T) {
			ask := func(origin string) answer {
				request, err := http.NewRequest(tt.method, tt.server.url()+tt.path, strings.NewReader("{"))
				require.NoError(t, err)
				request.Header.Set("X-Api-Key", tt.key)
				request.Header.Set("Content-Type", "application/json")
				if origin != "" {
					request.Header.Set("Origin", origin)
				}
				response := do(t, tt.server, request)
				require.Equal(t, tt.status, response.StatusCode, response.text)
				assert.Equal(t, []string{"Origin"}, response.Header.Values("Vary"), "a cache must distinguish the answers")
				return response
			}
			for _, origin := range origins {
				assert.Equal(t, []string{origin}, ask(origin).Header.Values("Access-Control-Allow-Origin"))
			}
			for _, origin := range []string{
				"", "nullx", "app://other.md", "app://obsidian.md.x", "vscode-webview://a/b", "xvscode-webview://a", "https://other.example.org", "http://ide.example.org", "https://ide.example.org:8443",
				"https://ide.example.org.attacker.example", "https://xide.example.org", "https://ideXexample.org",
			} {
				assert.Empty(t, ask(origin).Header.Values("Access-Control-Allow-Origin"), origin)
			}
		})
	}
}
