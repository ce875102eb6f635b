package localaitest

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	// waitLimit is long, so that it is reached on a busy machine only if something hangs.
	waitLimit = 30 * time.Second
	tick      = 5 * time.Millisecond
)

// receive and send fail where waiting would never end.
func receive[T any](t *testing.T, from <-chan T) T {
	t.Helper()
	select {
	case value := <-from:
		return value
	case <-time.After(waitLimit):
		require.FailNow(t, "nothing came")
		panic("not reached")
	}
}

func send(t *testing.T, to chan<- struct{}) {
	t.Helper()
	select {
	case to <- struct{}{}:
	case <-time.After(waitLimit):
		require.FailNow(t, "nobody took it")
	}
}

// firstJSON is the first JSON object of a recording that is not an exchange.
func firstJSON(t *testing.T, file string) any {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("testdata", "transcripts", file))
	require.NoError(t, err)
	_, object, found := strings.Cut(string(content), "{")
	require.True(t, found)
	var value any
	require.NoError(t, json.NewDecoder(strings.NewReader("{"+object)).Decode(&value))
	return value
}

func TestDeadBackend(t *testing.T) {
	dead := failing{&CallError{Message: DialFailed("127.0.0.1:36087")}}
	server := NewServer(t, Options{Models: []Model{tiny}, Engine: dead})
	chat := readTranscript(t, "11-chat-nonstream.txt")
	for range 2 { // no cooldown: the backend was loaded before
		response, body := play(t, server, chat)
		assert.Equal(t, http.StatusInternalServerError, response.StatusCode)
		want, err := json.Marshal(firstJSON(t, "54-backend-killed-idle.txt"))
		require.NoError(t, err)
		assert.JSONEq(t, string(want), body)
	}
	ready := readTranscript(t, "01-readyz-nothing-loaded.txt")
	response, _ := play(t, server, ready)
	assert.Equal(t, http.StatusOK, response.StatusCode, "/readyz does not notice")
}

// dying answers so many checks, then no more.
type dying struct {
	alwaysReady
	answers int
}

func (d *dying) Check(Model) error {
	d.answers--
	if d.answers < 0 {
		return BackendDied()
	}
	return nil
}

func TestBackendDiesInAStream(t *testing.T) {
	content, err := os.ReadFile(filepath.Join("testdata", "transcripts", "55-backend-killed-midstream.txt"))
	require.NoError(t, err)
	_, exchange, _ := strings.Cut(strings.ReplaceAll(string(content), "\r", ""), "\n")
	head, rest, _ := strings.Cut(exchange, "\n\n")
	start, end, found := strings.Cut(rest, "\n...\n")
	require.True(t, found)
	end, _, _ = strings.Cut(end, "curl rc")
	// The recording has its middle cut out, so both are cut to as many tokens.
	body := strings.TrimSpace(start) + "\n\n" + strings.TrimSpace(end)
	tokens := strings.Count(body, `"delta":{"content":" `)

	server := NewServer(t, Options{Models: []Model{tiny}, Engine: &dying{answers: tokens}})
	chat := readTranscript(t, "14-chat-stream.txt")
	chat.requestBody = strings.Replace(chat.requestBody, `"max_tokens":6`, `"max_tokens":1000`, 1)
	response, got := play(t, server, chat)

	want := normalized(t, http.StatusOK, http.Header{"Content-Type": {"text/event-stream"}}, body, false)
	assert.Equal(t, want.Body, normalized(t, response.StatusCode, response.Header, got, false).Body)
	assert.Contains(t, head, "200 OK")
	assert.Equal(t, http.StatusOK, response.StatusCode)
}

// waiting loads until it is told to go on.
type waiting struct {
	alwaysReady
	entered, proceed chan struct{}
}

func (w waiting) Load(ctx context.Context, _ Model) error {
	w.entered <- struct{}{}
	select {
	case <-w.proceed:
	case <-ctx.Done():
	}
	return ctx.Err()
}

func TestAdmissionLimit(t *testing.T) {
	const file = "105-limits-max-concurrent.txt"
	engine := waiting{entered: make(chan struct{}), proceed: make(chan struct{})}
	model := Model{Name: "devstral-small-2", MaxConcurrent: 4, RetryAfterSeconds: 30}
	server := NewServer(t, Options{Models: []Model{model}, Engine: engine})
	want := readTranscript(t, file)
	want.header.Set("Content-Type", "application/json")
	want.requestBody = `{"messages":[{"role":"user","content":"hi"}],"max_tokens":1}`

	admitted := make(chan int, model.MaxConcurrent)
	for range model.MaxConcurrent {
		go func() {
			request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+pathChat, strings.NewReader(want.requestBody))
			if err != nil {
				admitted <- 0
				return
			}
			request.Header = want.header.Clone()
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				admitted <- 0
				return
			}
			response.Body.Close()
			admitted <- response.StatusCode
		}()
	}
	receive(t, engine.entered)
	require.Eventually(t, func() bool { return server.http.Handler.(*Handler).admission.count(model) == model.MaxConcurrent }, waitLimit, tick)
	compare(t, server, want)
	close(engine.proceed)
	for range model.MaxConcurrent - 1 {
		receive(t, engine.entered)
	}
	for range model.MaxConcurrent {
		assert.Equal(t, http.StatusOK, receive(t, admitted))
	}
}

func TestCooldownDoublesAndEndsWithSuccess(t *testing.T) {
	l := newLoader(failing{BackendMissing()})
	for _, want := range []time.Duration{firstCooldown, 2 * firstCooldown, 4 * firstCooldown} {
		failed := l.load(t.Context(), tiny)
		require.Equal(t, http.StatusInternalServerError, failed.Status)
		assert.Equal(t, want, l.failures[tiny.Name].cooldown)
		assert.Equal(t, http.StatusServiceUnavailable, l.load(t.Context(), tiny).Status)

		over := l.failures[tiny.Name]
		over.until = time.Now()
		l.failures[tiny.Name] = over
	}
	l.engine = alwaysReady{}
	require.Nil(t, l.load(t.Context(), tiny))
	assert.Empty(t, l.failures)
	assert.Equal(t, []string{"tiny"}, l.loadedNames())
}

func TestPreload(t *testing.T) {
	h := NewHandler(Options{Models: []Model{tiny}})
	require.NoError(t, h.Preload(t.Context(), []string{"tiny"}))
	assert.Equal(t, []string{"tiny"}, h.loader.loadedNames())
	assert.EqualError(t, h.Preload(t.Context(), []string{"nosuch"}), `model "nosuch" not found. To see available models, call GET /v1/models`)
	broken := NewHandler(noBackend(t))
	assert.EqualError(t, broken.Preload(t.Context(), []string{"tiny"}), BackendMissing().Error())
}

func TestMetricsCanBeOff(t *testing.T) {
	server := NewServer(t, Options{DisableMetrics: true})
	response, _ := play(t, server, readTranscript(t, "06-metrics-before.txt"))
	assert.Equal(t, http.StatusNotFound, response.StatusCode)
}

func TestServerWithoutModels(t *testing.T) {
	server := NewServer(t, Options{Models: []Model{}})
	response, body := play(t, server, readTranscript(t, "27-no-model-field.txt"))
	assert.Equal(t, http.StatusNotFound, response.StatusCode, body)
	_, body = play(t, server, readTranscript(t, "03-models.txt"))
	assert.JSONEq(t, `{"object":"list","data":[]}`, body)
}

// Plain completions tell an error as text, and never [DONE]; the overflow is recorded (122).
func TestErrorsOfStreamedCompletions(t *testing.T) {
	model := tiny
	model.ContextSize = 8
	overflow := `{"created":1,"object":"text_completion","id":"ID","model":"tiny","choices":[{"index":0,"finish_reason":null,"text":"request (12 tokens) exceeds the available context size (8 tokens), try increasing it"}]}`
	for name, c := range map[string]struct {
		options Options
		events  []string
	}{
		"overflow": {Options{Models: []Model{model}}, []string{
			overflow,
			`{"created":1,"object":"text_completion","id":"ID","model":"tiny","choices":[{"index":0,"finish_reason":"stop","text":"Internal error: rpc error: code = Internal desc = request (12 tokens) exceeds the available context size (8 tokens), try increasing it"}]}`,
		}},
		"no backend": {noBackend(t), []string{
			`{"created":1,"object":"text_completion","id":"ID","model":"tiny","choices":[{"index":0,"finish_reason":"stop","text":"Internal error: ` + BackendMissing().Error() + `"}]}`,
		}},
		"a dead backend": {Options{Models: []Model{tiny}, Engine: &dying{}}, []string{
			`{"created":1,"object":"text_completion","id":"ID","model":"tiny","choices":[{"index":0,"finish_reason":"stop","text":"Internal error: ` + BackendDied().Error() + `"}]}`,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			tr := readTranscript(t, "17-completions-stream.txt")
			tr.requestBody = `{"model":"tiny","prompt":"a longer one","stream":true}`
			response, answer := play(t, NewServer(t, c.options), tr)
			assert.Equal(t, http.StatusOK, response.StatusCode)
			assert.Equal(t, "data: "+strings.Join(c.events, "\n\ndata: ")+"\n\n", constant(answer))
		})
	}
}
