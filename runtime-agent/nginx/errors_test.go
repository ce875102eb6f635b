package nginx

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/localaitest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway"
)

// Malformed requests get an error in OpenAI's format, too.
func TestImproperRequests(t *testing.T) {
	s := start(t, engine(t, localaitest.Options{}))
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

// A gateway that hangs.
func TestSilentGateway(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	impatient := func(s Site) []byte {
		return bytes.ReplaceAll(s.Render(), []byte("proxy_read_timeout 120s;"), []byte("proxy_read_timeout 1s;"))
	}
	s := startWith(t, impatient, listener.Addr().String())
	response := get(t, s, s.client(), appliance.PathModels, testPassword)
	assert.Equal(t, 504, response.StatusCode)
	assert.Equal(t, "timeout", errorCode(t, response))
}

// An engine that accepts connections and does not answer.
func TestSilentEngine(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	s := start(t, gatewayTo(t, listener.Addr().String(), func(c *gateway.Config) { c.ReadTimeout = 1 }))
	response := chat(t, s, chatBody)
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

// The gateway's errors are passed on: they say what to do.
func TestErrorsOfTheGateway(t *testing.T) {
	options := localaitest.Options{Keys: []string{testEngineKey}, Models: []localaitest.Model{{Name: appliance.ModelID, ContextSize: 16}}}
	s := start(t, gatewayTo(t, localaitest.NewServer(t, options).Address, func(c *gateway.Config) { c.ContextSize = 16 }))
	response := chat(t, s, `{"messages":[{"role":"user","content":"`+strings.Repeat("word ", 100)+`"}]}`)
	assert.Equal(t, 400, response.StatusCode)
	assert.Equal(t, "context_length_exceeded", errorCode(t, response))

	response = chat(t, s, `{"messages":`)
	assert.Equal(t, 400, response.StatusCode)
	assert.Equal(t, "invalid_value", errorCode(t, response))
}

// busy refuses every request with its own Retry-After, as the engine does at its limit.
func TestRetryAfterOfTheEngine(t *testing.T) {
	busy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "30")
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, `{"error":{"message":"too many","type":"admission_rejected"}}`)
	}))
	defer busy.Close()
	s := start(t, gatewayTo(t, busy.Listener.Addr().String()))
	response := chat(t, s, chatBody)
	assert.Equal(t, 503, response.StatusCode)
	assert.Equal(t, []string{"30"}, response.Header.Values("Retry-After"))
}

func TestReloading(t *testing.T) {
	s := start(t, engine(t, localaitest.Options{}))
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

// closed are what LocalAI answers, with or without a key, besides what the appliance offers, and
// ways to write it.
var closed = []string{
	"GET /", "GET /app", "GET /api/settings", "POST /api/settings", "GET /api/traces", "GET /api/backend-traces",
	"GET /api/backend-logs", "GET /api/cors-proxy?url=http://127.0.0.1:1/", "GET /api/operations", "GET /api/usage",
	"GET /api/router/decisions", "GET /api/middleware/status", "GET /api/pii/events", "GET /api/agents",
	"GET /api/agent/tasks", "POST /api/agent/tasks", "GET /api/p2p/token", "GET /api/voice-profiles",
	"GET /api/models/config-json/devstral-small-2", "PATCH /api/models/config-json/devstral-small-2",
	"GET /backends", "POST /models/delete/devstral-small-2",
	"POST /backends/apply", "POST /backend/load", "POST /backend/shutdown", "GET /backend/monitor",
	"POST /v1/mcp/chat/completions", "GET /v1/mcp/servers/devstral-small-2", "POST /api/fine-tuning/jobs",
	"GET /api/quantization/jobs", "POST /stores/find", "POST /tts", "POST /v1/images/generations",
	"POST /v1/realtime/sessions", "POST /v1/face/forget", "GET /api/tags", "GET /api/ps", "POST /api/chat",
	"GET /swagger/index.html", "GET /.well-known/localai.json", "GET /system", "GET /version", "GET /healthz",
	"POST /v1/edits", "GET /v1", "GET /v1/", "GET /v1/metrics", "GET /v1/readyz", "GET /metrics/", "GET /readyz/x",
	"GET /v1/responses/resp_1", "POST /v1/responses/resp_1/cancel", "GET /v1/responses/ws", "POST /v1/messages/batches",
	"POST /v1/chat/completions/x", "POST /v1/chat", "POST /V1/chat/completions", "POST /v1chat/completions",
	"GET /v1/models/../../system", "GET /v1/models/..%2f..%2fsystem", "GET /v1/models/%2e%2e/%2e%2e/system",
	"GET /v1/models/%2E%2E%2F%2E%2E%2Fsystem", "GET /v1/models/a%2fb", "GET /v1/models/a/../../../system",
	"GET /models/..//system", "POST /v1/messages/../../models/apply/x", "POST /v1/responses/%2e%2e/edits",
	"GET /v1/models/..%5c..%5csystem/x", "GET /%76%31/models/a/b",
}

// taken are more of these, which are where the id of a model stands: the gateway has none of them.
var taken = map[string]int{
	"GET /models/available": 404, "POST /models/apply": 405, "POST /models/import": 405, "POST /models/reload": 405,
	"GET /v1/models/..%5csystem": 404, "GET /v1/models/..%252fsystem": 404, "GET /v1/models/%252e%252e%252fsystem": 404,
}

// greedy answers everything, and counts.
func greedy(t *testing.T) (address string, reached *atomic.Int32) {
	t.Helper()
	reached = &atomic.Int32{}
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) }))
	t.Cleanup(server.Close)
	return server.Listener.Addr().String(), reached
}

// route sends a request with the path as it is written.
func route(t *testing.T, s *server, route, password string) answer {
	t.Helper()
	method, path, _ := strings.Cut(route, " ")
	request, err := http.NewRequest(method, s.url(), nil)
	require.NoError(t, err)
	path, request.URL.RawQuery, _ = strings.Cut(path, "?")
	request.URL.Opaque = path
	request.Header.Set("X-Api-Key", password)
	return do(t, s, request)
}

func TestClosedPaths(t *testing.T) {
	address, reached := greedy(t)
	s := start(t, address)
	for _, path := range closed {
		for _, password := range []string{"", testPassword} {
			response := route(t, s, path, password)
			assert.Equal(t, 404, response.StatusCode, path)
			assert.Equal(t, "unknown_url", errorCode(t, response), path)
		}
	}
	for _, path := range []string{"POST /v1/embeddings", "POST /embeddings", "POST /v1/embeddings/"} {
		response := route(t, s, path, testPassword)
		assert.Equal(t, 404, response.StatusCode, path)
		assert.Equal(t, "unsupported", errorCode(t, response), path)
	}
	assert.Zero(t, reached.Load(), "the gateway was asked")
	assert.Equal(t, 200, route(t, s, "GET "+appliance.PathModels, testPassword).StatusCode)
	assert.Equal(t, int32(1), reached.Load(), "the gateway would have answered")
}

func TestPathsThatTheGatewayCloses(t *testing.T) {
	address, reached := greedy(t)
	s := start(t, gatewayTo(t, address))
	for path, status := range taken {
		assert.Equal(t, status, route(t, s, path, testPassword).StatusCode, path)
	}
	assert.Zero(t, reached.Load(), "the engine was asked")
	assert.Equal(t, 200, route(t, s, "GET "+appliance.PathReadyz, "").StatusCode)
	assert.Equal(t, int32(1), reached.Load(), "the engine would have answered")
}

// open are ways to write what the appliance offers to those who have the password.
var open = []string{
	"POST /v1/chat/completions", "POST /chat/completions", "POST /v1/chat/completions/", "POST /v1/v1/chat/completions",
	"POST //v1//chat/completions", "POST /v1/completions", "POST /completions/", "POST /v1/responses", "POST /responses",
	"POST /v1/messages", "POST /messages", "POST /v1/messages?beta=true", "POST /v1/messages/count_tokens", "POST /v1/v1/messages",
	"GET /v1/models", "GET /models", "GET /v1/models/", "GET /v1/models/devstral-small-2", "HEAD /models/devstral-small-2",
	"GET /v1/models/devstral-small-2/", "GET /v1/models?limit=1000", "GET /metrics", "HEAD /metrics",
}

func TestOpenPathsRequireThePassword(t *testing.T) {
	address, reached := greedy(t)
	s := start(t, address)
	for _, path := range open {
		for _, password := range []string{"", "wrong", testEngineKey} {
			assert.Equal(t, 401, route(t, s, path, password).StatusCode, path)
		}
	}
	assert.Zero(t, reached.Load(), "the gateway was asked")
	for _, path := range open {
		assert.Equal(t, 200, route(t, s, path, testPassword).StatusCode, path)
	}
	assert.Equal(t, int32(len(open)), reached.Load())
}

// Clients are given base URLs with and without /v1, and append to them as they like.
func TestWaysToWriteAPath(t *testing.T) {
	s := start(t, engine(t, localaitest.Options{}))
	for _, prefix := range []string{"", "/v1", "/v1/v1", "//v1", "/%761"} {
		for _, end := range []string{"", "/"} {
			assert.Contains(t, route(t, s, "GET "+prefix+"/models"+end, testPassword).text, `"object":"list"`, prefix+end)
			assert.Contains(t, route(t, s, "GET "+prefix+"/models/"+appliance.ModelID+end, testPassword).text, `"object":"model"`, prefix+end)
			request, err := http.NewRequest(http.MethodPost, s.url()+prefix+"/chat/completions"+end, strings.NewReader(chatBody))
			require.NoError(t, err)
			request.Header.Set("X-Api-Key", testPassword)
			assert.Contains(t, do(t, s, request).text, "data: [DONE]", prefix+end)
		}
	}
}

// What OpenAI's schema requires of a model.
func TestModelsAreComplete(t *testing.T) {
	s := start(t, engine(t, localaitest.Options{}))
	var list struct{ Data []map[string]any }
	require.NoError(t, json.Unmarshal([]byte(get(t, s, s.client(), appliance.PathModels, testPassword).text), &list))
	require.Len(t, list.Data, 1)
	var one map[string]any
	require.NoError(t, json.Unmarshal([]byte(get(t, s, s.client(), appliance.PathModels+"/"+appliance.ModelID, testPassword).text), &one))
	assert.Equal(t, list.Data[0], one)
	for _, field := range []string{"id", "object", "created", "owned_by"} {
		assert.NotEmpty(t, one[field], field)
	}
}

// In the texts of a site an apostrophe would end the text, and a dollar or backslash mean
// something else.
func TestTextsNeedNoQuoting(t *testing.T) {
	for _, one := range slices.Concat(failures, refusedFailures(), []failure{plain, noEmbeddings}) {
		assert.NotRegexp(t, `['$\\]`, one.Body())
	}
	assert.NotRegexp(t, `['$\\]`, refusedMessage)
}
