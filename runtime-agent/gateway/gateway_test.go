package gateway

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/sse"
)

const testKey = "0123456789abcdef"

func testConfig(engine string) *Config {
	return &Config{
		Model: appliance.ModelID, Created: 1795376243, ContextSize: 4096, Slots: 1,
		Engine: strings.TrimPrefix(engine, "http://"), ReadTimeout: 60,
	}
}

// rig is a gateway in front of an engine that a test has written.
type rig struct {
	*Gateway
	url string
}

// start runs a gateway whose clients are told that they live as soon as they wait.
func start(t testing.TB, engine http.HandlerFunc, edits ...func(*Config)) *rig {
	t.Helper()
	behind := httptest.NewServer(engine)
	t.Cleanup(behind.Close)
	return startAt(t, behind.URL, edits...)
}

func startAt(t testing.TB, engine string, edits ...func(*Config)) *rig {
	t.Helper()
	config := testConfig(engine)
	for _, edit := range edits {
		edit(config)
	}
	g := New(config, testKey, slog.New(slog.NewTextHandler(t.Output(), nil)))
	g.grace, g.interval = 20*time.Millisecond, 20*time.Millisecond
	server := httptest.NewServer(g)
	t.Cleanup(server.Close)
	return &rig{g, server.URL}
}

// ask sends a request of a client.
func (r *rig) ask(ctx context.Context, t testing.TB, client, method, path, body string) *http.Response {
	t.Helper()
	request, err := http.NewRequestWithContext(ctx, method, r.url+path, strings.NewReader(body))
	require.NoError(t, err)
	request.Header.Set(appliance.HeaderClient, client)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	t.Cleanup(func() { _ = response.Body.Close() })
	return response
}

func (r *rig) post(t testing.TB, path, body string) *http.Response {
	t.Helper()
	return r.ask(t.Context(), t, "192.0.2.1", http.MethodPost, path, body)
}

// answered asks in the chat, and reads the whole answer: only then everything about it is noted.
func (r *rig) answered(t testing.TB, body string) {
	t.Helper()
	response := r.post(t, appliance.PathChat, body)
	require.Equal(t, http.StatusOK, response.StatusCode, read(t, response))
}

// postAs sends a request of a program.
func (r *rig) postAs(t testing.TB, userAgent, path, body string) *http.Response {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.url+path, strings.NewReader(body))
	require.NoError(t, err)
	request.Header.Set(appliance.HeaderClient, "192.0.2.1")
	request.Header.Set("User-Agent", userAgent)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	t.Cleanup(func() { _ = response.Body.Close() })
	return response
}

const openCode = "opencode/1.18.33 ai-sdk/provider-utils/4.0.23 runtime/bun/1.3.14"

func read(t testing.TB, response *http.Response) string {
	t.Helper()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return string(text)
}

// errorCode returns the code of an error object.
func errorCode(t testing.TB, body string) string {
	t.Helper()
	var said struct {
		Error struct{ Code, Message string }
	}
	require.NoError(t, json.Unmarshal([]byte(body), &said), body)
	assert.NotContains(t, said.Error.Message, "rpc error")
	return said.Error.Code
}

const (
	chatStream = `{"messages":[{"role":"user","content":"hi"}],"stream":true}`
	chatWhole  = `{"messages":[{"role":"user","content":"hi"}]}`
)

// event is what LocalAI sends (transcripts/15-chat-stream-usage.txt).
func event(choice string) string {
	return `data: {"created":1,"object":"chat.completion.chunk","id":"x","model":"m","choices":[` + choice + "]}\n\n"
}

func delta(text string) string {
	return event(fmt.Sprintf(`{"index":0,"finish_reason":null,"delta":{"content":%q}}`, text))
}

func usage(prompt, completion int) string {
	return fmt.Sprintf(`data: {"id":"x","created":1,"model":"m","object":"chat.completion.chunk","choices":[],"usage":{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d}}`+"\n\n",
		prompt, completion, prompt+completion)
}

const (
	stopped = `data: {"created":1,"object":"chat.completion.chunk","id":"x","model":"m","choices":[{"index":0,"finish_reason":"stop","delta":{"content":null}}]}` + "\n\n"

	role = `data: {"created":1,"object":"chat.completion.chunk","id":"x","model":"m","choices":[{"index":0,"finish_reason":null,"delta":{"role":"assistant","content":null}}]}` + "\n\n"
	done = "data: [DONE]\n\n"
)

// says is an engine that sends the parts, each at once.
func says(parts ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for _, part := range parts {
			_, _ = io.WriteString(w, part)
			_ = http.NewResponseController(w).Flush()
		}
	}
}

// fails is an engine that answers with a status.
func fails(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// held is an engine that answers once it is released.
func held(release <-chan struct{}, then http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // the server notices a client that leaves
		select {
		case <-release:
			then(w, r)
		case <-r.Context().Done():
		}
	}
}

func TestAStreamGoesThroughAsItIs(t *testing.T) {
	sent := role + delta("a") + delta("<b> \\u00e9") + stopped + usage(10, 2) + done
	r := start(t, says(sent))
	response := r.post(t, appliance.PathChat, `{"messages":[{"role":"user","content":"hi"}],"stream":true,"stream_options":{"include_usage":true}}`)
	assert.Equal(t, 200, response.StatusCode)
	assert.Equal(t, "text/event-stream", response.Header.Get("Content-Type"))
	assert.Equal(t, sent, read(t, response))
}

func TestUsageIsForThoseWhoAsked(t *testing.T) {
	r := start(t, says(role, delta("a"), stopped, usage(10, 2), done))
	assert.Equal(t, role+delta("a")+stopped+done, read(t, r.post(t, appliance.PathChat, chatStream)))
}

// Node's fetch gives up after 300 s without a byte, and with it most coding agents.
func TestSignsOfLife(t *testing.T) {
	for name, tt := range map[string]struct {
		path, body string
		sign       string // what is sent first, and again and again
		end        string
	}{
		"chat":              {appliance.PathChat, chatStream, ": reading the prompt", done},
		"completions":       {appliance.PathCompletions, `{"prompt":"a","stream":true}`, ": reading the prompt", done},
		"messages":          {appliance.PathMessages, `{"max_tokens":9,"messages":[{"role":"user","content":"hi"}],"stream":true}`, "event: ping", "message_stop"},
		"responses":         {appliance.PathResponses, `{"input":"hi","stream":true}`, "event: response.in_progress", "response.completed"},
		"chat, whole":       {appliance.PathChat, chatWhole, "", `"content":"a"`},
		"messages, whole":   {appliance.PathMessages, `{"max_tokens":9,"messages":[{"role":"user","content":"hi"}]}`, "", `"text":"a"`},
		"responses, whole":  {appliance.PathResponses, `{"input":"hi"}`, "", `"text":"a"`},
		"completion, whole": {appliance.PathCompletions, `{"prompt":"a"}`, "", `"object":"text_completion"`},
	} {
		t.Run(name, func(t *testing.T) {
			release := make(chan struct{})
			r := start(t, held(release, says(role, delta("a"), stopped, usage(10, 2), done)))
			response := r.post(t, tt.path, tt.body)
			require.Equal(t, 200, response.StatusCode)
			lines := bufio.NewReader(response.Body)
			for seen := 0; seen < 3; {
				line, err := lines.ReadString('\n')
				require.NoError(t, err)
				if tt.sign == "" {
					require.Empty(t, strings.TrimSpace(line), "white space before the JSON")
				}
				if strings.HasPrefix(line, tt.sign) {
					seen++
				}
			}
			close(release)
			rest, err := io.ReadAll(lines)
			require.NoError(t, err)
			assert.Contains(t, string(rest), tt.end)
			if tt.sign == "" {
				assert.True(t, json.Valid(rest), string(rest))
				assert.Equal(t, "application/json", response.Header.Get("Content-Type"))
			}
		})
	}
}

const tooLong = "request (5000 tokens) exceeds the available context size (4096 tokens), try increasing it"

// What LocalAI v4.9.0 says when it cannot answer, and what a client is told.
func TestErrorsOfTheEngine(t *testing.T) {
	const rpc = "rpc error: code = "
	stream := func(message string) string {
		return fmt.Sprintf(`data: {"error":{"code":"server_error","message":%q,"type":"server_error"}}`, message) + "\n\n" + done
	}
	body := func(message string) string {
		return fmt.Sprintf(`{"error":{"code":500,"message":%q,"type":""}}`, message)
	}
	dead := rpc + `Unavailable desc = connection error: desc = "transport: Error while dialing: dial tcp 127.0.0.1:1: connect: connection refused"`
	for name, tt := range map[string]struct {
		engine http.HandlerFunc
		status int
		code   string
		retry  bool
	}{
		"too long":                      {fails(500, body(rpc+"Internal desc = "+tooLong)), 400, "context_length_exceeded", false},
		"too long, streamed as text":    {says(role, delta(tooLong), stream(rpc+"Internal desc = "+tooLong)), 400, "context_length_exceeded", false},
		"dead backend":                  {fails(500, body(dead)), 503, "model_unavailable", true},
		"dead backend, streamed":        {says(stream(dead)), 503, "model_unavailable", true},
		"dead before the first token":   {says(role, stream(rpc+"Unavailable desc = error reading from server: EOF")), 503, "answer_cut", true},
		"cut before the first token":    {says(role), 503, "answer_cut", true},
		"no stream":                     {says("data: {\n\n"), 503, "answer_cut", true},
		"refused by the template":       {fails(500, body(rpc+"InvalidArgument desc = \n-----\nError: Jinja Exception: No.")), 400, "invalid_value", false},
		"refused by the template, late": {says(stream(rpc + "InvalidArgument desc = \n-----\nError: Jinja Exception: No.")), 400, "invalid_value", false},
		"unknown error":                 {fails(500, body(rpc+"Unknown desc = something")), 500, "internal_error", false},
		"unknown error, streamed":       {says(stream(rpc + "Unknown desc = something")), 500, "internal_error", false},
		"not an error object":           {fails(502, "<html>"), 500, "internal_error", false},
		"more than it admits":           {fails(503, `{"error":{"message":"too many","type":"admission_rejected"}}`), 503, "model_unavailable", true},
		"a field it refuses":            {fails(400, `{"error":{"code":400,"message":"failed parsing request body: code=400, message=bad temperature, internal=x","type":""}}`), 400, "invalid_request", false},
		"a key that it refuses":         {fails(401, `{"error":{"message":"An authentication key is required"}}`), 500, "internal_error", false},
		"a schema it cannot follow":     {fails(500, body(rpc+"Internal desc = JSON schema conversion failed: Pattern must start with '^'")), 400, "invalid_value", false},
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t, tt.engine)
			r.grace, r.interval = time.Minute, time.Minute
			for _, request := range []string{chatStream, chatWhole} {
				response := r.post(t, appliance.PathChat, request)
				text := read(t, response)
				assert.Equal(t, tt.status, response.StatusCode, text)
				assert.Equal(t, tt.code, errorCode(t, text))
				assert.Equal(t, tt.retry, response.Header.Get("Retry-After") != "")
			}
			assert.Zero(t, r.queue.Load())
		})
	}
}

func TestAnEngineThatDoesNotListen(t *testing.T) {
	r := startAt(t, "127.0.0.1:1")
	numbers := r.ask(t.Context(), t, "a", http.MethodGet, appliance.PathMetrics, "")
	assert.Contains(t, read(t, numbers), appliance.MetricRunning+" 0\n")
	for _, path := range []string{appliance.PathChat, appliance.PathReadyz} {
		method := methods[path]
		response := r.ask(t.Context(), t, "a", method, path, chatStream)
		assert.Equal(t, 503, response.StatusCode, path)
		assert.Equal(t, "10", response.Header.Get("Retry-After"))
		assert.Equal(t, "model_unavailable", errorCode(t, read(t, response)))
	}
}

// Once the head is sent, an error can only be the end of the answer.
func TestErrorsAfterTheHead(t *testing.T) {
	cut := says(role, delta("a"), `data: {"error":{"code":"server_error","message":"rpc error: code = Unavailable desc = error reading from server: EOF","type":"server_error"}}`+"\n\n", done)
	for name, tt := range map[string]struct {
		path, body string
		engine     http.HandlerFunc
		end        string
	}{
		"chat":                 {appliance.PathChat, chatStream, cut, `"type":"server_error","param":null,"code":500}}` + "\n\n" + done},
		"chat, a cut line":     {appliance.PathChat, chatStream, says(role, delta("a"), `data: {"created"`), `"type":"server_error","param":null,"code":500}}` + "\n\n" + done},
		"messages":             {appliance.PathMessages, `{"max_tokens":9,"messages":[{"role":"user","content":"hi"}],"stream":true}`, cut, "event: error\n"},
		"responses":            {appliance.PathResponses, `{"input":"hi","stream":true}`, cut, "event: response.failed\n"},
		"chat, after a wait":   {appliance.PathChat, chatStream, slowly(fails(500, `{"error":{"message":"`+tooLong+`"}}`)), `"code":"context_length_exceeded"}}` + "\n\n" + done},
		"whole, after a wait":  {appliance.PathChat, chatWhole, slowly(fails(500, `{"error":{"message":"`+tooLong+`"}}`)), `"code":"context_length_exceeded"}}`},
		"whole, cut at a word": {appliance.PathChat, chatWhole, slowly(cut), `"code":"answer_cut"}}`},
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t, tt.engine)
			response := r.post(t, tt.path, tt.body)
			text := read(t, response)
			assert.Equal(t, 200, response.StatusCode, text)
			assert.Contains(t, text, tt.end)
			assert.NotContains(t, text, "rpc error")
		})
	}
}

// slowly is an engine that answers after the head of the answer must have been sent.
func slowly(then http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		select {
		case <-time.After(200 * time.Millisecond): // ten times the grace period
			then(w, r)
		case <-r.Context().Done():
		}
	}
}

func TestSilenceHasAnEnd(t *testing.T) {
	gone := make(chan struct{})
	r := start(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
		close(gone)
	}, func(c *Config) { c.ReadTimeout = 1 })
	text := read(t, r.post(t, appliance.PathChat, chatStream))
	assert.Contains(t, text, "The model did not answer in time")
	<-gone // the engine stops, too
}

// An agent whose user presses Escape must not keep the engine busy.
func TestWhoLeavesStopsTheEngine(t *testing.T) {
	for name, body := range map[string]string{"streamed": chatStream, "whole": chatWhole} {
		t.Run(name, func(t *testing.T) {
			asked, gone := make(chan struct{}), make(chan struct{})
			r := start(t, func(_ http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				close(asked)
				<-r.Context().Done()
				close(gone)
			})
			ctx, leave := context.WithCancel(t.Context())
			r.ask(ctx, t, "a", http.MethodPost, appliance.PathChat, body) // its head has come
			<-asked
			leave()
			<-gone
			assert.Eventually(t, func() bool { return r.queue.Load().Running == 0 }, time.Minute, time.Millisecond)
		})
	}
}

// With one client's endless streams in the queue, another one's question is answered after one.
func TestNobodyIsShutOut(t *testing.T) {
	asked, release := make(chan string, 10), make(chan struct{})
	r := start(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		asked <- string(body)
		held(release, says(role, delta("a"), stopped, done))(w, r)
	})
	question := func(text string) string {
		return fmt.Sprintf(`{"messages":[{"role":"user","content":%q}],"stream":true}`, text)
	}
	for i := range 4 {
		r.ask(t.Context(), t, "192.0.2.1", http.MethodPost, appliance.PathChat, question(fmt.Sprintf("endless %d", i)))
	}
	response := r.ask(t.Context(), t, "192.0.2.2", http.MethodPost, appliance.PathChat, question("short"))
	events := sse.NewReader(response.Body)
	waiting, err := events.Next()
	require.NoError(t, err)
	assert.Equal(t, ": waiting, place 1 in the queue\n\n", string(waiting.Raw))
	release <- struct{}{}
	assert.Contains(t, <-asked, "endless 0")
	assert.Contains(t, <-asked, "short")
	close(release)
	assert.Contains(t, read(t, response), done)
}

func TestAFullQueue(t *testing.T) {
	r := start(t, held(nil, nil))
	for range maxWaitingOfOne + 1 {
		r.ask(t.Context(), t, "192.0.2.1", http.MethodPost, appliance.PathChat, chatStream)
	}
	response := r.ask(t.Context(), t, "192.0.2.1", http.MethodPost, appliance.PathChat, chatStream)
	assert.Equal(t, 429, response.StatusCode)
	assert.NotEmpty(t, response.Header.Get("Retry-After"))
	assert.Equal(t, "queue_full", errorCode(t, read(t, response)))
	assert.Equal(t, 200, r.ask(t.Context(), t, "192.0.2.2", http.MethodPost, appliance.PathChat, chatStream).StatusCode, "another client")
	numbers := read(t, r.ask(t.Context(), t, "a", http.MethodGet, "/nothing", ""))
	assert.NotEmpty(t, numbers)
	var text bytes.Buffer
	r.numbers.write(&text)
	assert.Contains(t, text.String(), appliance.MetricWaiting+" 9\n")
	assert.Contains(t, text.String(), appliance.MetricRunning+" 1\n")
	assert.Contains(t, text.String(), appliance.MetricRequests+`{route="/v1/chat/completions",key="-",status="429"} 1`)
	assert.Contains(t, text.String(), appliance.MetricRequests+`{route="unknown",key="-",status="404"} 1`)
}

// All users of one network are one client: of an IPv6 one a single user has all. Whoever has a key is
// one client wherever he is, and his name is nobody's address.
func TestClients(t *testing.T) {
	config := &Config{Keys: []string{"alice", "192.0.2.1"}}
	for name, want := range map[string]string{"alice": "key alice", "192.0.2.1": "key 192.0.2.1", "bob": "192.0.2.1", "copilot": "192.0.2.1", "": "192.0.2.1"} {
		asked := httptest.NewRequest(http.MethodGet, "/", nil)
		asked.Header.Set(appliance.HeaderClient, "192.0.2.1")
		asked.Header.Set(appliance.HeaderKey, name)
		assert.Equal(t, want, (&request{r: asked, key: config.keyOf(asked)}).client(), name)
	}
	for name, want := range map[string]string{
		"192.0.2.1": "192.0.2.1", "2001:db8::1": "2001:db8::/64", "2001:db8::ffff:1": "2001:db8::/64", "2001:db8:0:1::1": "2001:db8:0:1::/64", "alice": "alice", "": "",
	} {
		asked := httptest.NewRequest(http.MethodGet, "/", nil)
		asked.Header.Set(appliance.HeaderClient, name)
		assert.Equal(t, want, (&request{r: asked, key: noKey}).client(), name)
	}
}

func TestAnswersNameTheAppliance(t *testing.T) {
	const products = "slm-copilot/1.0.0 LocalAI/v4.9.0 devstral-small-2/Q4_K_M"
	g := start(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }, func(c *Config) { c.Appliance = products })
	for _, path := range []string{appliance.PathModels, appliance.PathMetrics, "/v1/nothing"} {
		answer := g.ask(t.Context(), t, "192.0.2.1", http.MethodGet, path, "")
		assert.Equal(t, []string{products}, answer.Header.Values(appliance.HeaderAppliance), path)
	}
	answer := g.ask(t.Context(), t, "192.0.2.1", http.MethodGet, appliance.PathReadyz, "")
	assert.Empty(t, answer.Header.Values(appliance.HeaderAppliance), "which is open to everybody")
}
