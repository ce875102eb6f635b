package main

import (
	"bufio"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

const preloadTiny = "LOCALAI_LOAD_TO_MEMORY=tiny"

func TestPortOpensWhenTheModelIsLoaded(t *testing.T) {
	l := newLayout(t)
	// The backend starts when the file "go" is there.
	l.write(t, "backends/llama-cpp/real.sh", readFile(t, l.path("backends/llama-cpp/run.sh")))
	l.write(t, "backends/llama-cpp/run.sh", "#!/bin/sh\nwhile ! [ -e go ]; do sleep 0.02; done\nexec ./real.sh \"$@\"\n")
	address := unusedAddress(t)
	p := l.start(t, preloadTiny, "LOCALAI_ADDRESS="+address)

	require.Eventually(t, func() bool { return len(p.children(t)) == 1 }, waitLimit, tick)
	_, err := net.Dial("tcp", address)
	require.ErrorIs(t, err, syscall.ECONNREFUSED, "as in the recording, the port is closed while the model loads")

	l.write(t, "backends/llama-cpp/go", "")
	url := p.url(t)
	status, _ := get(t, url+"/readyz")
	assert.Equal(t, http.StatusOK, status)
	_, body := get(t, url+"/system")
	recorded := transcript(t, "57-load-to-memory-boot.txt")
	_, system, _ := strings.Cut(recorded, "GET /system -> ")
	system, _, _ = strings.Cut(system, "\n")
	assert.JSONEq(t, system, body)
	status, body = chat(t, url)
	assert.Equal(t, http.StatusOK, status, body)
}

var (
	timestamp = regexp.MustCompile(`(?m)^[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d `)
	errorLine = regexp.MustCompile(`(?ms)^ERROR .*?(?: \n|\z)`)
)

func TestMissingWeightsEndTheProcess(t *testing.T) {
	l := newLayout(t)
	l.write(t, "models/tiny.yaml", "name: tiny\nparameters:\n  model: missing.gguf\n")
	p := l.start(t, preloadTiny, "LOCALAI_THREADS=2")
	assert.Equal(t, 1, p.exitCode(t))

	want := timestamp.ReplaceAllString(transcript(t, "58-load-to-memory-missing-gguf.txt"), "")
	got := strings.ReplaceAll(timestamp.ReplaceAllString(p.log.String(), ""), l.path("models"), "<MODELS>")
	require.NotEmpty(t, errorLine.FindAllString(want, -1))
	assert.Equal(t, errorLine.FindAllString(want, -1), errorLine.FindAllString(got, -1))
	for _, line := range strings.Split(got, "\n") {
		if strings.HasPrefix(line, "INFO") {
			assert.Contains(t, want, line+"\n", "LocalAI logs no such line")
		}
	}
}

func TestPreloadIsSkippedWithOneActiveBackend(t *testing.T) {
	for _, setting := range []string{"LOCALAI_MAX_ACTIVE_BACKENDS=1", "LOCALAI_SINGLE_ACTIVE_BACKEND=true"} {
		t.Run(setting, func(t *testing.T) {
			p := newLayout(t).start(t, preloadTiny, setting)
			_, body := get(t, p.url(t)+"/system")
			_, recorded, _ := strings.Cut(transcript(t, "59-load-to-memory-ignored.txt"), "GET /system -> ")
			assert.JSONEq(t, recorded, body)
			assert.Empty(t, p.children(t))
		})
	}
}

// stream starts an endless answer and returns it after its first line.
func stream(t *testing.T, url string) *bufio.Reader {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/v1/chat/completions",
		strings.NewReader(`{"stream":true,"max_tokens":2000,"messages":[{"role":"user","content":"hi"}]}`))
	require.NoError(t, err)
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	t.Cleanup(func() { response.Body.Close() })
	lines := bufio.NewReader(response.Body)
	_, err = lines.ReadString('\n')
	require.NoError(t, err)
	return lines
}

// lastEvents reads a stream to its end and returns the data of its last two events.
func lastEvents(t *testing.T, lines *bufio.Reader) []string {
	t.Helper()
	var events []string
	for {
		line, err := lines.ReadString('\n')
		if data, isData := strings.CutPrefix(line, "data: "); isData {
			events = append(events, strings.TrimSpace(data))
		}
		if err != nil {
			break
		}
	}
	require.GreaterOrEqual(t, len(events), 2)
	return events[len(events)-2:]
}

func TestSIGTERM(t *testing.T) {
	t.Run("idle", func(t *testing.T) {
		p := newLayout(t).start(t, preloadTiny)
		p.url(t)
		backend := p.backend(t)
		require.NoError(t, p.command.Process.Signal(syscall.SIGTERM))
		assert.Equal(t, 0, p.exitCode(t))
		assert.False(t, runs(backend))
	})
	t.Run("during a stream", func(t *testing.T) {
		p := newLayout(t).start(t, preloadTiny)
		lines := stream(t, p.url(t))
		backend := p.backend(t)
		require.NoError(t, p.command.Process.Signal(syscall.SIGTERM))
		last := lastEvents(t, lines)
		assert.Contains(t, last[0], `{"error":{"code":"server_error","message":"rpc error: code = Unavailable desc = `)
		assert.Equal(t, "[DONE]", last[1])
		recorded := transcript(t, "59a-sigterm-midstream.txt")
		assert.Contains(t, recorded, `data: {"error":{"code":"server_error","message":"rpc error: code = Unavailable desc = `)
		assert.Equal(t, 0, p.exitCode(t))
		assert.False(t, runs(backend))
	})
	t.Run("during the load", func(t *testing.T) {
		l := newLayout(t)
		l.write(t, "backends/llama-cpp/run.sh", "#!/bin/sh\nexec sleep 600\n")
		p := l.start(t, preloadTiny)
		require.Eventually(t, func() bool { return len(p.children(t)) == 1 }, waitLimit, tick)
		backend := p.backend(t)
		require.NoError(t, p.command.Process.Signal(syscall.SIGTERM))
		assert.Equal(t, 1, p.exitCode(t))
		assert.False(t, runs(backend))
	})
}

func TestSIGKILLLeavesNoBackend(t *testing.T) {
	p := newLayout(t).start(t, preloadTiny)
	p.url(t)
	backend := p.backend(t)
	require.True(t, runs(backend))
	require.NoError(t, p.command.Process.Kill())
	assert.Eventually(t, func() bool { return !runs(backend) }, waitLimit, tick)
}

func TestKilledBackendFailsRequests(t *testing.T) {
	p := newLayout(t).start(t, preloadTiny)
	url := p.url(t)
	lines := stream(t, url)
	backend := p.backend(t)
	kill(t, backend)
	last := lastEvents(t, lines)
	assert.JSONEq(t, `{"error":{"code":"server_error","message":"rpc error: code = Unavailable desc = error reading from server: EOF","type":"server_error"}}`, last[0])

	require.Eventually(t, func() bool { return strings.Contains(p.log.String(), "Backend process exited") }, waitLimit, tick)
	port := regexp.MustCompile(`127\.0\.0\.1:\d+`)
	recorded := transcript(t, "54-backend-killed-idle.txt")
	want, _, _ := strings.Cut(recorded[strings.Index(recorded, "{"):], "\n") //nolint:gocritic // it is there
	status, body := chat(t, url)
	assert.Equal(t, http.StatusInternalServerError, status)
	assert.JSONEq(t, port.ReplaceAllString(want, "ADDRESS"), port.ReplaceAllString(body, "ADDRESS"))
	status, _ = get(t, url+"/readyz")
	assert.Equal(t, http.StatusOK, status, "/readyz does not notice")
	_, body = get(t, url+"/system")
	assert.Contains(t, body, `"id":"tiny"`, "/system does not notice either")
}

// The way out of the half minute of errors above: what is unloaded is loaded anew.
func TestKilledBackendIsLoadedAnew(t *testing.T) {
	p := newLayout(t).start(t, preloadTiny)
	url := p.url(t)
	old := p.backend(t)
	kill(t, old)
	require.Eventually(t, func() bool { return strings.Contains(p.log.String(), "Backend process exited") }, waitLimit, tick)

	status, body := post(t, url+"/backend/shutdown", `{"model":"tiny"}`)
	assert.Equal(t, http.StatusOK, status, body)
	status, _ = post(t, url+"/backend/shutdown", `{"model":"tiny"}`)
	assert.Equal(t, http.StatusNotFound, status, "it is not loaded any more")
	status, body = post(t, url+"/backend/load", `{"model":"tiny"}`)
	assert.Equal(t, http.StatusOK, status)
	assert.JSONEq(t, `{"loaded":["tiny"],"message":"model loaded"}`, body)
	assert.NotEqual(t, old, p.backend(t))
	status, body = chat(t, url)
	assert.Equal(t, http.StatusOK, status, body)

	status, body = post(t, url+"/backend/load", `{}`)
	assert.Equal(t, http.StatusBadRequest, status)
	assert.JSONEq(t, `{"loaded":null,"message":"model is required"}`, body)
	status, _ = post(t, url+"/backend/shutdown", `{}`)
	assert.Equal(t, http.StatusBadRequest, status)
}

func TestLoadThatFails(t *testing.T) {
	l := newLayout(t)
	l.write(t, "models/tiny.gguf", "GGU? and so on")
	status, body := post(t, l.start(t).url(t)+"/backend/load", `{"model":"tiny"}`)
	assert.Equal(t, http.StatusInternalServerError, status)
	assert.Contains(t, body, `{"loaded":null,"message":"failed to load model: `)
}

func TestLazyLoad(t *testing.T) {
	p := newLayout(t).start(t)
	url := p.url(t)
	assert.Empty(t, p.children(t))
	status, body := chat(t, url)
	assert.Equal(t, http.StatusOK, status, body)
	assert.True(t, runs(p.backend(t)))
}

func TestMissingBackend(t *testing.T) {
	l := newLayout(t)
	l.remove(t, "backends")
	url := l.start(t).url(t)
	status, body := chat(t, url)
	assert.Equal(t, http.StatusInternalServerError, status)
	assert.JSONEq(t, `{"error":{"code":500,"message":"failed to load model with internal loader: backend not found: llama-cpp","type":""}}`, body)
	status, _ = chat(t, url)
	assert.Equal(t, http.StatusServiceUnavailable, status)
	assert.Equal(t, 1, l.start(t, preloadTiny).exitCode(t))
}

func TestBackendThatDoesNotStart(t *testing.T) {
	l := newLayout(t)
	l.write(t, "backends/llama-cpp/run.sh", "#!/bin/sh\nexit 3\n")
	p := l.start(t, preloadTiny)
	assert.Equal(t, 1, p.exitCode(t))
	assert.Contains(t, p.log.String(), "the backend process ended before it listened")
	assert.Contains(t, p.log.String(), "exitCode=3")
}

func TestUnusableWeightsStopTheBackendAgain(t *testing.T) {
	l := newLayout(t)
	l.write(t, "models/tiny.gguf", "GGU? and so on")
	p := l.start(t)
	status, body := chat(t, p.url(t))
	assert.Equal(t, http.StatusInternalServerError, status)
	assert.Contains(t, body, "invalid magic characters: 'GGU?', expected 'GGUF'")
	assert.Empty(t, p.children(t))
}

func TestUnwritablePathEndsTheProcess(t *testing.T) {
	l := newLayout(t)
	l.write(t, "file", "")
	p := l.start(t, "LOCALAI_DATA_PATH="+l.path("file/data"))
	assert.Equal(t, 1, p.exitCode(t))
	assert.Contains(t, p.log.String(), "unable to create")
	other := l.start(t, "LOCALAI_UPLOAD_PATH="+l.path("new/upload"))
	other.url(t)
	assert.DirExists(t, l.path("new/upload"))
}

func TestTakenPortEndsTheProcess(t *testing.T) {
	l := newLayout(t)
	first := l.start(t)
	address := strings.TrimPrefix(first.url(t), "http://")
	second := l.start(t, preloadTiny, "LOCALAI_ADDRESS="+address)
	assert.Equal(t, 1, second.exitCode(t))
	assert.Contains(t, second.log.String(), "address already in use")
	assert.Empty(t, second.children(t))
}

func TestKeyGuardsAndIsNeverLogged(t *testing.T) {
	const secret = "sk-hush-hush"
	for _, format := range []string{"text", "json"} {
		t.Run(format, func(t *testing.T) {
			p := newLayout(t).start(t, "LOCALAI_API_KEY=other,"+secret, "LOCALAI_LOG_FORMAT="+format, "LOCALAI_DISABLE_METRICS_ENDPOINT=true")
			address := ""
			require.Eventually(t, func() bool {
				address = regexp.MustCompile(`127\.0\.0\.1:\d+`).FindString(p.log.String())
				return address != ""
			}, waitLimit, tick)
			status, _ := chat(t, "http://"+address)
			assert.Equal(t, http.StatusUnauthorized, status)
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/v1/models", nil)
			require.NoError(t, err)
			request.Header.Set("Authorization", "Bearer "+secret)
			status, _ = do(t, request)
			assert.Equal(t, http.StatusOK, status)
			request.URL.Path = "/metrics"
			status, _ = do(t, request)
			assert.Equal(t, http.StatusNotFound, status)
			assert.NotContains(t, p.log.String(), secret)
			first, _, _ := strings.Cut(p.log.String(), "\n")
			assert.Equal(t, format == "json", json.Valid([]byte(first)), first)
		})
	}
}

func TestCORSAllowList(t *testing.T) {
	p := newLayout(t).start(t, "LOCALAI_CORS=true", "LOCALAI_CORS_ALLOW_ORIGINS=https://a.example,https://b.example")
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.url(t)+"/v1/models", nil)
	require.NoError(t, err)
	request.Header.Set("Origin", "https://b.example")
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	response.Body.Close()
	assert.Equal(t, "https://b.example", response.Header.Get("Access-Control-Allow-Origin"))
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(content)
}

// unusedAddress is a port that was free a moment ago.
func unusedAddress(t *testing.T) string {
	t.Helper()
	address, err := freeAddress()
	require.NoError(t, err)
	return address
}

// A long run of one letter overflows the stack of the backend's tokenizer, unless that is large.
func TestALongRunKillsABackendWithASmallStack(t *testing.T) {
	for name, c := range map[string]struct {
		stack, run uint64
		survives   bool
	}{
		"8 MiB, 20 kB": {8 << 20, 20_000, true},
		"8 MiB, 30 kB": {8 << 20, 30_000, false},
		"1 GiB, 1 MB":  {1 << 30, 1_000_000, true},
		"1 GiB, 10 MB": {1 << 30, 10_000_000, false},
	} {
		t.Run(name, func(t *testing.T) {
			p := newLayout(t).start(t, preloadTiny)
			url := p.url(t)
			backend := p.backend(t)
			require.NoError(t, unix.Prlimit(backend, unix.RLIMIT_STACK, &unix.Rlimit{Cur: c.stack, Max: unix.RLIM_INFINITY}, nil))
			status, body := post(t, url+"/v1/chat/completions", `{"model":"tiny","messages":[{"role":"user","content":"`+strings.Repeat("a", int(c.run))+`"}]}`)
			assert.Equal(t, http.StatusInternalServerError, status)
			assert.Equal(t, c.survives, strings.Contains(body, "exceeds the available context size"), body)
			assert.Equal(t, c.survives, runs(backend))
			assert.Equal(t, !c.survives, strings.Contains(body, "error reading from server: EOF"), body)
		})
	}
}

// The template is that of the option, or else that of the weights.
func TestChatTemplateFile(t *testing.T) {
	const twoUsers = `{"model":"tiny","max_tokens":1,"messages":[{"role":"user","content":"one"},{"role":"user","content":"two"}]}`
	l := newLayout(t)
	status, body := post(t, l.start(t).url(t)+"/v1/chat/completions", twoUsers)
	assert.Equal(t, http.StatusInternalServerError, status)
	assert.Contains(t, body, "conversation roles must alternate")

	l.write(t, "relaxed.jinja", "{% for message in messages %}{{ message['content'] }}{% endfor %}")
	l.write(t, "models/tiny.yaml", "name: tiny\nparameters: {model: tiny.gguf}\ncontext_size: 2048\noptions: [\"--chat-template-file:"+l.path("relaxed.jinja")+"\"]\n")
	status, body = post(t, l.start(t).url(t)+"/v1/chat/completions", twoUsers)
	assert.Equal(t, http.StatusOK, status, body)
}
