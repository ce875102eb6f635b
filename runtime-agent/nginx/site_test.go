package nginx

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/goldentest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/localaitest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/probe/acceptance"
)

func TestRenderedSites(t *testing.T) {
	plain := Site{
		HTTPListen: Listen(appliance.HTTPPort, true), HTTPSListen: Listen(appliance.HTTPSPort, true),
		Upstream: "unix:" + appliance.GatewaySocket, Certificate: appliance.ServerCert, Key: appliance.ServerKey,
		WebRoot: appliance.WebRoot, ReloadingFile: appliance.ReloadingFile,
		Password: "password",
	}
	limited := plain
	limited.CORSOrigins = []string{"http://localhost:3000", "https://ide.example.org"}
	limited.RateLimit = 60
	limited.Keys = []appliance.NamedKey{{Name: "alice", Key: "alice's:key"}, {Name: "ci", Key: "key"}}
	limited.NamesFile, limited.KeysFile = "/etc/slm-copilot/nginx-names.conf", "/etc/slm-copilot/nginx-keys.conf"
	plain.Hosts, plain.PublicCertificate = []string{"copilot.example.org", "192.0.2.7", "[2001:db8::7]"}, true
	for name, got := range map[string][]byte{
		"site": plain.Render(), "limited": limited.Render(), "refused": limited.RenderRefused(), "names": plain.RenderNames(), "keys": limited.RenderKeys(),
	} {
		t.Run(name, func(t *testing.T) {
			golden := filepath.Join("testdata", name+".golden.conf")
			goldentest.Equal(t, golden, got)
		})
	}
}

// What nginx would refuse must have been refused by us.
func TestEveryAcceptedOriginIsAcceptedByNginx(t *testing.T) {
	longest := "https://" + strings.Repeat("a", 253)
	list := []string{longest, "app://" + strings.Repeat("a", 253), "https://[2001:db8::1]:8443", "null", "chrome-extension://abc", "a+b-c.d://"}
	for port := range 100 - len(list) {
		list = append(list, fmt.Sprintf("%s:%d", longest, 1000+port))
	}
	settings, err := appliance.ParseSettings(map[string]string{appliance.VarCORSOrigins: strings.Join(list, " ")})
	require.NoError(t, err)
	s := start(t, engine(t, localaitest.Options{}), func(s *Site) { s.CORSOrigins = settings.CORSOrigins })
	for _, origin := range list {
		request, err := http.NewRequest(http.MethodGet, s.url()+appliance.PathHealth, nil)
		require.NoError(t, err)
		request.Header.Set("Origin", origin)
		assert.Equal(t, origin, do(t, s, request).Header.Get("Access-Control-Allow-Origin"))
	}
}

func TestPasswordInUse(t *testing.T) {
	s := Site{Password: `p"a'$\s{w}#1`, Keys: []appliance.NamedKey{{Name: "alice", Key: "her-own-key"}}}
	assert.Equal(t, s.Password, PasswordInUse(s.Render()))
	for _, site := range [][]byte{nil, s.RenderRefused(), []byte("\x00\xff")} {
		assert.Empty(t, PasswordInUse(site))
	}
}

func TestListen(t *testing.T) {
	assert.Equal(t, []string{"443"}, Listen(443, false), "nginx does not start if the kernel has no IPv6")
	assert.Equal(t, []string{"443", "[::]:443"}, Listen(443, true))
}

func TestCheckReturnsNginxsError(t *testing.T) {
	config := write(t, t.TempDir(), "nginx.conf", []byte("events {}\nhttp { nonsense; }\n"))
	err := Check(t.Context(), "-c", config)
	assert.ErrorContains(t, err, `unknown directive "nonsense"`)
}

// The acceptance checks of the finished image.
func TestAcceptance(t *testing.T) {
	s := start(t, engine(t, localaitest.Options{}))
	target := &acceptance.Target{
		HTTPS: s.https, HTTP: s.http, Names: []string{"vm-7"},
		Password: testPassword, Model: appliance.ModelID, Root: s.root,
	}
	for _, check := range acceptance.Checks() {
		_, err := check.Run(t.Context(), target)
		assert.NoError(t, err, check.Name)
	}
}

func TestCredentials(t *testing.T) {
	s := start(t, engine(t, localaitest.Options{}))
	basic := func(user, password string) func(http.Header) {
		return func(h http.Header) {
			r := http.Request{Header: h}
			r.SetBasicAuth(user, password)
		}
	}
	set := func(pairs ...string) func(http.Header) {
		return func(h http.Header) {
			for i := 0; i < len(pairs); i += 2 {
				h.Set(pairs[i], pairs[i+1])
			}
		}
	}
	const wrong = "Bearer wrong-password"
	encoded := base64.StdEncoding.EncodeToString([]byte(appliance.APIUser + ":" + testPassword))
	tests := map[string]struct {
		credentials func(http.Header)
		want        int
	}{
		"Bearer":                   {set("Authorization", "Bearer "+testPassword), 200},
		"bearer":                   {set("Authorization", "bearer "+testPassword), 200},
		"Basic":                    {basic(appliance.APIUser, testPassword), 200},
		"x-api-key":                {set("X-Api-Key", testPassword), 200},
		"x-api-key, wrong Bearer":  {set("X-Api-Key", testPassword, "Authorization", wrong), 200},
		"Bearer, wrong x-api-key":  {set("X-Api-Key", "wrong", "Authorization", "Bearer "+testPassword), 200},
		"nothing":                  {set(), 401},
		"wrong Bearer":             {set("Authorization", wrong), 401},
		"Bearer, lower case":       {set("Authorization", "Bearer "+strings.ToLower(testPassword)), 401},
		"Bearer, upper case":       {set("Authorization", "Bearer "+strings.ToUpper(testPassword)), 401},
		"Bearer, longer":           {set("Authorization", "Bearer "+testPassword+"x"), 401},
		"Bearer, shorter":          {set("Authorization", "Bearer "+testPassword[1:]), 401},
		"Bearer, cut":              {set("Authorization", "Bearer "+testPassword[:len(testPassword)-1]), 401},
		"Bearer, begun earlier":    {set("Authorization", "x Bearer "+testPassword), 401},
		"x-api-key, longer":        {set("X-Api-Key", testPassword+"x"), 401},
		"x-api-key, cut":           {set("X-Api-Key", testPassword[:len(testPassword)-1]), 401},
		"x-api-key, begun earlier": {set("X-Api-Key", "x"+testPassword), 401},
		"Basic, longer":            {set("Authorization", "Basic "+encoded+"x"), 401},
		"Basic, cut":               {set("Authorization", "Basic "+encoded[:len(encoded)-1]), 401},
		"Basic, begun earlier":     {set("Authorization", "x Basic "+encoded), 401},
		"Basic, longer password":   {basic(appliance.APIUser, testPassword+"x"), 401},
		"Bearer, doubled":          {set("Authorization", "Bearer "+testPassword+" "+testPassword), 401},
		"empty Bearer":             {set("Authorization", "Bearer "), 401},
		"password without scheme":  {set("Authorization", testPassword), 401},
		"x-api-key, upper case":    {set("X-Api-Key", strings.ToUpper(testPassword)), 401},
		"Basic, another user":      {basic("root", testPassword), 401},
		"Basic, another password":  {basic(appliance.APIUser, strings.ToUpper(testPassword)), 401},
		"the engine's key":         {set("Authorization", "Bearer "+testEngineKey), 401},
		"the engine's key as x-":   {set("X-Api-Key", testEngineKey), 401},
		"the engine's key as xi-":  {set("Xi-Api-Key", testEngineKey), 401},
		"the engine's key, cookie": {set("Cookie", "token="+testEngineKey), 401},
		"the pattern of the site":  {set("Authorization", "Bearer "+regex(testPassword)), 401},
	}
	clients := 0
	for name, tt := range tests {
		clients++
		// An address for each: nginx slows down those that send many wrong passwords.
		client := s.clientAt(fmt.Sprintf("127.0.0.%d", clients))
		t.Run(name, func(t *testing.T) {
			request, err := http.NewRequest(http.MethodGet, s.url()+appliance.PathModels, nil)
			require.NoError(t, err)
			tt.credentials(request.Header)
			response := send(t, client, request)
			assert.Equal(t, tt.want, response.StatusCode)
			if tt.want == 401 {
				assert.Equal(t, []string{`Basic realm="SLM-Copilot", charset="UTF-8"`, `Bearer realm="SLM-Copilot"`},
					response.Header.Values("WWW-Authenticate"))
			}
		})
	}
}

// runNode installs the packages of a folder, runs its client.mjs and decodes what that prints.
func runNode(t *testing.T, s *server, folder, baseURL string, seen any) {
	t.Helper()
	for _, program := range []string{"node", "npm"} {
		_, err := exec.LookPath(program)
		require.NoError(t, err, "%s is missing: run make setup", program)
	}
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, os.DirFS(folder)))
	install := exec.Command("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	install.Dir = dir
	out, err := install.CombinedOutput()
	require.NoError(t, err, string(out))

	client := exec.Command("node", "client.mjs", baseURL, testPassword, appliance.ModelID)
	client.Dir = dir
	client.Env = append(os.Environ(), "NODE_EXTRA_CA_CERTS="+s.rootPath)
	client.Stderr = os.Stderr
	out, err = client.Output()
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(out, seen), string(out))
}

// The vendors' own libraries, by each API: a tool call, its result, the answer, and an overflow.
func TestVendorsNodeLibraries(t *testing.T) {
	s := start(t, engine(t, localaitest.Options{}))
	type conversation struct {
		Call    struct{ Name, Arguments string }
		Reason  string
		Text    string
		Counted bool
		TooLong struct {
			Name, Message string
			Status        int
		}
	}
	var seen map[string]conversation
	runNode(t, s, "testdata/sdks", s.url(), &seen)
	for api, want := range map[string]struct{ reason, message string }{
		"chat":      {"tool_calls", "This model's maximum context length is "},
		"responses": {"completed", "This model's maximum context length is "},
		"messages":  {"tool_use", "prompt is too long: "},
	} {
		got := seen[api]
		assert.Equal(t, "list", got.Call.Name, api)
		assert.JSONEq(t, `{"path":"/tmp"}`, got.Call.Arguments, api)
		assert.Equal(t, want.reason, got.Reason, api)
		assert.NotEmpty(t, got.Text, api)
		assert.Equal(t, "BadRequestError", got.TooLong.Name, api)
		assert.Equal(t, 400, got.TooLong.Status, api)
		assert.Contains(t, got.TooLong.Message, want.message, api)
	}
	assert.True(t, seen["messages"].Counted)
}

func TestOpenAINodeLibrary(t *testing.T) {
	s := start(t, engine(t, localaitest.Options{}))
	type failure struct {
		Name   string
		Status int
		Code   string
		Type   string
	}
	var seen struct {
		Chat       string
		Pieces     []string
		Models     []string
		WrongKey   failure
		Model      string
		Embeddings failure
	}
	runNode(t, s, "testdata/openai", s.url()+"/v1", &seen)
	assert.NotEmpty(t, seen.Chat)
	assert.Len(t, seen.Pieces, 4)
	assert.Equal(t, []string{appliance.ModelID}, seen.Models)
	assert.Equal(t, appliance.ModelID, seen.Model)
	assert.Equal(t, failure{"AuthenticationError", 401, "invalid_api_key", "authentication_error"}, seen.WrongKey)
	assert.Equal(t, failure{"NotFoundError", 404, "unsupported", "invalid_request_error"}, seen.Embeddings)
}

// answer is a response whose body was read.
type answer struct {
	*http.Response
	text string
}

func do(t *testing.T, s *server, request *http.Request) answer {
	t.Helper()
	return send(t, s.client(), request)
}

func send(t *testing.T, client *http.Client, request *http.Request) answer {
	t.Helper()
	response, err := client.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return answer{response, string(text)}
}

func parseCertificate(t testing.TB, text []byte) *x509.Certificate {
	t.Helper()
	block, _ := pem.Decode(text)
	require.NotNil(t, block)
	certificate, err := x509.ParseCertificate(block.Bytes)
	require.NoError(t, err)
	return certificate
}
