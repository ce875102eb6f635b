package nginx

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/localaitest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/nginxtest"
)

const chatBody = `{"model":"devstral-small-2","messages":[{"role":"user","content":"hi"}],"max_tokens":3,"stream":true}`

const messagesBody = `{"model":"devstral-small-2","messages":[{"role":"user","content":"hi"}],"max_tokens":3}`

// Whatever the answer, a web page must be allowed to read it, and errors have the shape
// OpenAI's clients parse.
func TestEveryAnswer(t *testing.T) {
	up := start(t, engine(t, localaitest.Options{}))
	down := start(t, gatewayTo(t, nginxtest.FreeAddress(t)))
	gone := start(t, nginxtest.FreeAddress(t)) // no gateway
	authorized := func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+testPassword) }
	crossSite := func(r *http.Request) {
		authorized(r)
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		r.Header.Set("Content-Type", "application/json")
	}
	anonymous := func(*http.Request) {}
	tests := map[string]struct {
		server       *server
		method, path string
		body         string
		edit         func(*http.Request)
		status       int
		code         string
		header       map[string]string
	}{
		"models":             {up, "GET", appliance.PathModels, "", authorized, 200, "", nil},
		"models, head only":  {up, "HEAD", appliance.PathModels, "", authorized, 200, "", nil},
		"models, wrong head": {up, "HEAD", appliance.PathModels, "", anonymous, 401, "", nil},
		"metrics, head only": {up, "HEAD", appliance.PathMetrics, "", authorized, 200, "", nil},
		"health, head only":  {up, "HEAD", appliance.PathHealth, "", anonymous, 200, "", nil},
		"readyz, head only":  {up, "HEAD", appliance.PathReadyz, "", anonymous, 200, "", nil},
		"root, head only":    {up, "HEAD", appliance.PathCA, "", anonymous, 200, "", nil},
		"chat, head only":    {up, "HEAD", appliance.PathChat, "", authorized, 405, "", map[string]string{"Allow": "POST, OPTIONS"}},
		"unknown, head only": {up, "HEAD", "/v1/files", "", authorized, 404, "", nil},
		"health, head, down": {down, "HEAD", appliance.PathHealth, "", anonymous, 503, "", map[string]string{"Retry-After": "10"}},
		"metrics":            {up, "GET", appliance.PathMetrics, "", authorized, 200, "", nil},
		"metrics, anonymous": {up, "GET", appliance.PathMetrics, "", anonymous, 401, "invalid_api_key", nil},
		"health":             {up, "GET", appliance.PathHealth, "", anonymous, 200, "", nil},
		"readyz":             {up, "GET", appliance.PathReadyz, "", anonymous, 200, "", nil},
		"root certificate":   {up, "GET", appliance.PathCA, "", anonymous, 200, "", map[string]string{"Content-Type": "application/x-x509-ca-cert"}},
		"a web page's chat":  {up, "POST", appliance.PathChat, chatBody, crossSite, 200, "", nil},
		"unknown model":      {up, "POST", appliance.PathChat, strings.Replace(chatBody, "devstral", "x", 1), crossSite, 404, "model_not_found", nil},
		"one model":          {up, "GET", appliance.PathModels + "/" + appliance.ModelID, "", authorized, 200, "", nil},
		"one model, head":    {up, "HEAD", appliance.PathModels + "/" + appliance.ModelID, "", authorized, 200, "", nil},
		"another model":      {up, "GET", appliance.PathModels + "/x", "", authorized, 404, "model_not_found", nil},
		"responses":          {up, "POST", appliance.PathResponses, `{"input":"hi"}`, authorized, 200, "", nil},
		"messages":           {up, "POST", appliance.PathMessages, messagesBody, authorized, 200, "", nil},
		"count of tokens":    {up, "POST", appliance.PathCountTokens, messagesBody, authorized, 200, "", nil},
		"responses by GET":   {up, "GET", appliance.PathResponses, "", authorized, 405, "method_not_allowed", map[string]string{"Allow": "POST, OPTIONS"}},
		"messages by DELETE": {up, "DELETE", appliance.PathMessages, "", authorized, 405, "method_not_allowed", map[string]string{"Allow": "POST, OPTIONS"}},
		"models by POST":     {up, "POST", appliance.PathModels + "/apply", "{}", authorized, 405, "method_not_allowed", map[string]string{"Allow": "GET, HEAD, OPTIONS"}},
		"embeddings":         {up, "POST", "/v1/embeddings", "{}", authorized, 404, "unsupported", nil},
		"unknown path":       {up, "GET", "/v1/files", "", authorized, 404, "unknown_url", nil},
		"below a path":       {up, "GET", appliance.PathModels + "/x/y", "", authorized, 404, "unknown_url", nil},
		"administration":     {up, "GET", "/system", "", authorized, 404, "unknown_url", nil},
		"dots in the path":   {up, "GET", appliance.PathModels + "/../../system", "", authorized, 404, "unknown_url", nil},
		"wrong method":       {up, "GET", appliance.PathChat, "", authorized, 405, "method_not_allowed", map[string]string{"Allow": "POST, OPTIONS"}},
		"health by POST":     {up, "POST", appliance.PathHealth, "", anonymous, 405, "method_not_allowed", map[string]string{"Allow": "GET, HEAD, OPTIONS"}},
		"too large":          {up, "POST", appliance.PathChat, strings.Repeat(" ", appliance.BodyLimit+1), authorized, 413, "request_too_large", nil},
		"engine down":        {down, "POST", appliance.PathChat, chatBody, authorized, 503, "model_unavailable", map[string]string{"Retry-After": "10"}},
		"health, down":       {down, "GET", appliance.PathHealth, "", anonymous, 503, "model_unavailable", map[string]string{"Retry-After": "10"}},
		"gateway gone":       {gone, "POST", appliance.PathChat, chatBody, authorized, 503, "model_unavailable", map[string]string{"Retry-After": "10"}},
		"health, gone":       {gone, "GET", appliance.PathHealth, "", anonymous, 503, "model_unavailable", map[string]string{"Retry-After": "10"}},
		"models, down":       {down, "GET", appliance.PathModels, "", authorized, 200, "", nil},
		"down, anonymous":    {down, "GET", appliance.PathModels, "", anonymous, 401, "invalid_api_key", nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			request, err := http.NewRequest(tt.method, tt.server.url()+tt.path, strings.NewReader(tt.body))
			require.NoError(t, err)
			request.Header.Set("Origin", "https://page.example.org")
			tt.edit(request)
			response := do(t, tt.server, request)
			require.Equal(t, tt.status, response.StatusCode, response.text)
			assert.Equal(t, []string{"*"}, response.Header.Values("Access-Control-Allow-Origin"))
			assert.Empty(t, response.Header.Values("Access-Control-Allow-Methods"))
			assert.Equal(t, "nginx", response.Header.Get("Server"), "no version")
			assert.Equal(t, []string{"Retry-After, X-Request-Id"}, response.Header.Values("Access-Control-Expose-Headers"))
			assert.Len(t, response.Header.Values("X-Request-Id"), 1)
			assert.Len(t, response.Header.Get("X-Request-Id"), 32)
			assert.Empty(t, response.Header.Values("Strict-Transport-Security"), "a browser could not go back to an own certificate")
			if tt.method == http.MethodHead {
				assert.Empty(t, response.text)
			}
			for key, value := range tt.header {
				assert.Equal(t, []string{value}, response.Header.Values(key))
			}
			if tt.code != "" {
				assert.Equal(t, tt.code, errorCode(t, response))
			}
		})
	}
}

func errorCode(t *testing.T, response answer) string {
	t.Helper()
	assert.Equal(t, "application/json", response.Header.Get("Content-Type"))
	var body struct {
		Type  string
		Error struct {
			Message, Type, Code string
			Param               *string
		}
	}
	require.NoError(t, json.Unmarshal([]byte(response.text), &body), response.text)
	assert.Equal(t, "error", body.Type, "what clients of Anthropic's API look for")
	assert.NotEmpty(t, body.Error.Message)
	assert.NotEmpty(t, body.Error.Type)
	return body.Error.Code
}

func TestPreflight(t *testing.T) {
	s := start(t, engine(t, localaitest.Options{}))
	for path, methods := range map[string]string{
		appliance.PathChat: "POST, OPTIONS", appliance.PathModels: "GET, HEAD, OPTIONS", appliance.PathHealth: "GET, HEAD, OPTIONS",
		appliance.PathCompletions: "POST, OPTIONS", appliance.PathResponses: "POST, OPTIONS",
		appliance.PathMessages: "POST, OPTIONS", appliance.PathCountTokens: "POST, OPTIONS",
		appliance.PathModels + "/" + appliance.ModelID: "GET, HEAD, OPTIONS",
		"/models/":           "GET, HEAD, OPTIONS",
		"/chat/completions":  "POST, OPTIONS",
		"/v1/v1/responses/":  "POST, OPTIONS",
		appliance.PathReadyz: "GET, HEAD, OPTIONS", appliance.PathMetrics: "GET, HEAD, OPTIONS",
		// The page is to read the 404 of its request.
		"/v1/embeddings": "GET, HEAD, POST, OPTIONS", "/v1/files": "GET, HEAD, POST, OPTIONS",
		appliance.PathCA: "GET, HEAD, OPTIONS",
	} {
		request, err := http.NewRequest(http.MethodOptions, s.url()+path, nil)
		require.NoError(t, err)
		request.Header.Set("Origin", "https://page.example.org")
		request.Header.Set("Access-Control-Request-Method", "POST")
		request.Header.Set("Access-Control-Request-Headers", "authorization,content-type,x-stainless-lang")
		response := do(t, s, request)
		assert.Equal(t, http.StatusNoContent, response.StatusCode, path)
		for key, want := range map[string]string{
			"Access-Control-Allow-Origin":  "*",
			"Access-Control-Allow-Methods": methods,
			"Access-Control-Allow-Headers": "authorization,content-type,x-stainless-lang",
			"Access-Control-Max-Age":       "86400",
		} {
			assert.Equal(t, []string{want}, response.Header.Values(key), path)
		}
	}
}

// gate is an engine that gives one token per permission.
type gate struct {
	permit chan struct{}
	done   <-chan struct{}
}

func (gate) Backends() []string { return nil }

func (gate) Load(context.Context, localaitest.Model) error { return nil }

func (gate) Unload(localaitest.Model) {}

func (gate) Tokenize(localaitest.Model, int) error { return nil }

func (g gate) Check(localaitest.Model) error {
	select {
	case <-g.permit:
	case <-g.done:
	}
	return nil
}

// Each token reaches the client before the engine sends the next one.
func TestTokensAreNotDelayed(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	g := gate{make(chan struct{}, 1), ctx.Done()}
	s := start(t, engine(t, localaitest.Options{Engine: g}))
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url()+appliance.PathChat, strings.NewReader(chatBody))
	require.NoError(t, err)
	request.Header.Set("Authorization", "Bearer "+testPassword)
	request.Header.Set("Content-Type", "application/json")
	g.permit <- struct{}{} // the head comes with the first token
	response, err := s.client().Do(request)
	require.NoError(t, err)
	defer response.Body.Close()

	lines := bufio.NewScanner(response.Body)
	tokens := 0
	for lines.Scan() {
		var event struct {
			Choices []struct{ Delta struct{ Content string } }
		}
		data, found := strings.CutPrefix(lines.Text(), "data: {")
		if !found {
			continue
		}
		require.NoError(t, json.Unmarshal([]byte("{"+data), &event))
		if len(event.Choices) == 1 && event.Choices[0].Delta.Content != "" {
			tokens++
			if tokens < 3 {
				g.permit <- struct{}{}
			}
		}
	}
	require.NoError(t, lines.Err())
	require.NoError(t, ctx.Err(), "the client waited for a token that the engine had sent")
	assert.Equal(t, 3, tokens)
}

// Clients that get nothing for minutes give up: what the gateway tells them while the engine reads
// is not kept back.
func TestSignsOfLifeAreNotDelayed(t *testing.T) {
	for path, tt := range map[string]struct{ body, sign string }{
		appliance.PathChat:      {chatBody, ": reading the prompt"},
		appliance.PathResponses: {`{"input":"hi","stream":true}`, "event: response.in_progress"},
		appliance.PathMessages:  {strings.Replace(messagesBody, "{", `{"stream":true,`, 1), "event: ping"},
	} {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			// This engine says nothing.
			s := start(t, engine(t, localaitest.Options{Engine: gate{make(chan struct{}), ctx.Done()}}))
			request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url()+path, strings.NewReader(tt.body))
			require.NoError(t, err)
			request.Header.Set("X-Api-Key", testPassword)
			response, err := s.client().Do(request)
			require.NoError(t, err)
			defer response.Body.Close()
			assert.Equal(t, http.StatusOK, response.StatusCode)
			assert.Equal(t, "text/event-stream", response.Header.Get("Content-Type"))
			lines := bufio.NewScanner(response.Body)
			came := false
			for !came && lines.Scan() {
				came = strings.HasPrefix(lines.Text(), tt.sign)
			}
			assert.NoError(t, lines.Err())
			assert.True(t, came)
		})
	}
}

func TestPlainHTTP(t *testing.T) {
	s := start(t, engine(t, localaitest.Options{}))
	challenge := filepath.Join(s.webRoot, ".well-known", "acme-challenge")
	require.NoError(t, os.MkdirAll(challenge, 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(challenge, "token"), []byte("proof"), 0o644))
	root, err := os.ReadFile(s.rootPath)
	require.NoError(t, err)
	tests := map[string]struct {
		path, location, body string
		status               int
	}{
		"API":         {"/v1/models?a=b", "https://vm-7/v1/models?a=b", "", 301},
		"root":        {"/", "https://vm-7/", "", 301},
		"certificate": {appliance.PathCA, "", string(root), 200},
		"ACME":        {"/.well-known/acme-challenge/token", "", "proof", 200},
		"no ACME":     {"/.well-known/acme-challenge/other", "", "", 404},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			request, err := http.NewRequest(http.MethodGet, "http://"+s.http+tt.path, nil)
			require.NoError(t, err)
			request.Host = "vm-7"
			response := do(t, s, request)
			assert.Equal(t, tt.status, response.StatusCode)
			assert.Equal(t, tt.location, response.Header.Get("Location"))
			if tt.body != "" {
				assert.Equal(t, tt.body, response.text)
			}
		})
	}
}

// curl as the report tells a user to call it.
func TestCurl(t *testing.T) {
	curl, err := exec.LookPath("curl")
	require.NoError(t, err, "curl is missing: run make setup")
	s := start(t, engine(t, localaitest.Options{}))
	out, err := exec.Command(curl, "-sS", "--fail-with-body", "--cacert", s.rootPath,
		"-u", appliance.APIUser+":"+testPassword, "-H", "Content-Type: application/json",
		"-d", chatBody, s.url()+appliance.PathChat).CombinedOutput()
	require.NoError(t, err, string(out))
	assert.Contains(t, string(out), "data: [DONE]")
}
