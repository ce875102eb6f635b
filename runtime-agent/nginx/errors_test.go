package nginx

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/localaitest"
)

// What is not a proper request gets an error of OpenAI's shape, too.
func TestImproperRequests(t *testing.T) {
	s := start(t, engine(t, localaitest.Options{}).Address)
	overTLS := func() (net.Conn, error) { return tls.Dial("tcp", s.https, s.tls()) }
	plainly := func() (net.Conn, error) { return net.Dial("tcp", s.https) }
	const head = " HTTP/1.1\r\nHost: vm-7\r\nConnection: close\r\n"
	// Just what fills one of nginx's buffers (large_client_header_buffers, 8 KiB by default),
	// and not a byte more: it would reset a connection with something left to read.
	large := func(start string) string { return start + strings.Repeat("a", 8192-len(start)) }
	for name, tt := range map[string]struct {
		dial    func() (net.Conn, error)
		request string
		status  int
		code    string
	}{
		"no HTTP":           {overTLS, "HELO vm-7\r\n\r\n", 400, "bad_request"},
		"no host":           {overTLS, "GET /v1/models HTTP/1.1\r\n\r\n", 400, "bad_request"},
		"version to come":   {overTLS, "GET /v1/models HTTP/9.0\r\nHost: vm-7\r\n\r\n", 400, "bad_request"},
		"transfer encoding": {overTLS, "POST /v1/chat/completions" + head + "Transfer-Encoding: gzip\r\n\r\n", 400, "bad_request"},
		"large headers":     {overTLS, "GET /v1/models" + head + large("Authorization: Bearer "), 400, "request_headers_too_large"},
		"http for https":    {plainly, "GET /v1/models" + head + "\r\n", 400, "https_required"},
		"TRACE":             {overTLS, "TRACE /v1/models" + head + "\r\n", 405, "method_not_allowed"},
		"long URL":          {overTLS, large("GET /"), 414, "url_too_long"},
		"an error's path":   {overTLS, "GET /copilot-error/bad_request" + head + "\r\n", 404, "unknown_url"},
		"the slow path":     {overTLS, "GET /copilot-unauthorized" + head + "\r\n", 404, "unknown_url"},
	} {
		t.Run(name, func(t *testing.T) {
			connection, err := tt.dial()
			require.NoError(t, err)
			defer connection.Close()
			_, err = io.WriteString(connection, tt.request)
			require.NoError(t, err)
			response, err := http.ReadResponse(bufio.NewReader(connection), nil)
			require.NoError(t, err)
			text, err := io.ReadAll(response.Body)
			require.NoError(t, err)
			assert.Equal(t, tt.status, response.StatusCode)
			assert.Equal(t, tt.code, errorCode(t, answer{response, string(text)}))
			assert.Equal(t, []string{"*"}, response.Header.Values("Access-Control-Allow-Origin"))
			assert.Equal(t, "nginx", response.Header.Get("Server"), "no version")
		})
	}
}

// An engine that accepts connections and says nothing, as it does while it reads a prompt.
func TestSilentEngine(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	s := start(t, listener.Addr().String(), func(s *Site) { s.ReadTimeout = time.Second })
	response := get(t, s, s.client(), appliance.PathModels, testPassword)
	assert.Equal(t, 504, response.StatusCode)
	assert.Equal(t, "timeout", errorCode(t, response))
}

func chat(t *testing.T, s *server, body string) answer {
	t.Helper()
	request, err := http.NewRequest(http.MethodPost, s.url()+appliance.PathChat, strings.NewReader(body))
	require.NoError(t, err)
	request.Header.Set("X-Api-Key", testPassword)
	request.Header.Set("Content-Type", "application/json")
	return do(t, s, request)
}

// The engine's own words tell a user what to do.
func TestErrorsOfTheEngine(t *testing.T) {
	s := start(t, engine(t, localaitest.Options{
		Models: []localaitest.Model{{Name: appliance.ModelID, ContextSize: 16}},
	}).Address)
	tooLong := `{"messages":[{"role":"user","content":"` + strings.Repeat("word ", 100) + `"}]}`
	response := chat(t, s, tooLong)
	assert.Equal(t, 500, response.StatusCode)
	assert.Contains(t, response.text, "exceeds the available context size (16 tokens)")

	response = chat(t, s, `{"messages":`)
	assert.Equal(t, 400, response.StatusCode)
	assert.Contains(t, response.text, "unexpected EOF")

	s = start(t, engine(t, localaitest.Options{Models: []localaitest.Model{}}).Address)
	response = chat(t, s, chatBody)
	assert.Equal(t, 404, response.StatusCode)
	assert.Contains(t, response.text, appliance.ModelID)
}

// busy refuses every request with advice of its own, as the engine does at its limit.
func TestAdviceOfTheEngine(t *testing.T) {
	busy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "30")
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	defer busy.Close()
	s := start(t, busy.Listener.Addr().String())
	assert.Equal(t, []string{"30"}, chat(t, s, chatBody).Header.Values("Retry-After"))
}

func TestReloading(t *testing.T) {
	s := start(t, engine(t, localaitest.Options{}).Address)
	assert.Equal(t, 200, chat(t, s, chatBody).StatusCode)
	require.NoError(t, os.WriteFile(s.reloading, nil, 0o600))

	for name, response := range map[string]answer{
		"chat":   chat(t, s, chatBody),
		"health": get(t, s, s.client(), appliance.PathHealth, ""),
		"readyz": get(t, s, s.client(), appliance.PathReadyz, ""),
	} {
		assert.Equal(t, 503, response.StatusCode, name)
		assert.Equal(t, "model_unavailable", errorCode(t, response), name)
		assert.Equal(t, []string{"10"}, response.Header.Values("Retry-After"), name)
	}
	assert.Equal(t, 200, get(t, s, s.client(), appliance.PathModels, testPassword).StatusCode, "needs no backend")
	assert.Equal(t, 401, get(t, s, s.client(), appliance.PathModels, "wrong").StatusCode)
	request, err := http.NewRequest(http.MethodOptions, s.url()+appliance.PathChat, nil)
	require.NoError(t, err)
	assert.Equal(t, 204, do(t, s, request).StatusCode)

	require.NoError(t, os.Remove(s.reloading))
	assert.Equal(t, 200, chat(t, s, chatBody).StatusCode)
	assert.Equal(t, 200, get(t, s, s.client(), appliance.PathHealth, "").StatusCode)
}

// closed are what LocalAI answers, with or without a key, besides what the appliance offers.
var closed = []string{
	"GET /", "GET /app", "GET /api/settings", "POST /api/settings", "GET /api/traces", "GET /api/backend-traces",
	"GET /api/backend-logs", "GET /api/cors-proxy?url=http://127.0.0.1:1/", "GET /api/operations", "GET /api/usage",
	"GET /api/router/decisions", "GET /api/middleware/status", "GET /api/pii/events", "GET /api/agents",
	"GET /api/agent/tasks", "POST /api/agent/tasks", "GET /api/p2p/token", "GET /api/voice-profiles",
	"GET /api/models/config-json/devstral-small-2", "PATCH /api/models/config-json/devstral-small-2",
	"GET /models/available", "POST /models/apply", "POST /models/import", "POST /models/reload", "GET /backends",
	"POST /backends/apply", "POST /backend/load", "POST /backend/shutdown", "GET /backend/monitor",
	"POST /v1/mcp/chat/completions", "GET /v1/mcp/servers/devstral-small-2", "POST /api/fine-tuning/jobs",
	"GET /api/quantization/jobs", "POST /stores/find", "POST /tts", "POST /v1/images/generations",
	"POST /v1/realtime/sessions", "POST /v1/face/forget", "GET /api/tags", "GET /api/ps", "POST /api/chat",
	"GET /swagger/index.html", "GET /.well-known/localai.json", "GET /system", "GET /version", "GET /healthz",
	"POST /v1/embeddings", "POST /embeddings", "POST /v1/messages", "POST /v1/responses", "POST /v1/edits",
	"POST /chat/completions", "POST /completions", "GET /models", "POST /v1/chat/completions/",
}

func TestClosedPaths(t *testing.T) {
	var reached atomic.Int32
	greedy := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) }))
	defer greedy.Close()
	s := start(t, greedy.Listener.Addr().String())
	for _, route := range closed {
		method, path, _ := strings.Cut(route, " ")
		for _, password := range []string{"", testPassword} {
			request, err := http.NewRequest(method, s.url()+path, nil)
			require.NoError(t, err)
			request.Header.Set("X-Api-Key", password)
			response := do(t, s, request)
			assert.Equal(t, 404, response.StatusCode, route)
			assert.Equal(t, "unknown_url", errorCode(t, response), route)
		}
	}
	assert.Zero(t, reached.Load(), "the engine was asked")
	assert.Equal(t, 200, get(t, s, s.client(), appliance.PathModels, testPassword).StatusCode)
	assert.Equal(t, int32(1), reached.Load(), "the engine would have answered")
}
