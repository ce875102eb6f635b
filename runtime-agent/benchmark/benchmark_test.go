package benchmark

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/localaitest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/probe"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/speed"
)

const key = "0123456789abcdef"

// rig is a gateway in front of an engine.
type rig struct {
	Benchmark
	said []string
	// asked is how often users have asked.
	asked int
}

func start(t *testing.T, engine string) *rig {
	t.Helper()
	config := &gateway.Config{Model: appliance.ModelID, ContextSize: 8192, Slots: 1, Engine: engine, ReadTimeout: 60}
	g := gateway.New(config, key, slog.New(slog.NewTextHandler(t.Output(), nil)))
	directory, err := os.MkdirTemp("", "benchmark") // a socket's path has 107 bytes at most
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(directory) })
	socket := filepath.Join(directory, "socket")
	listener, err := net.Listen("unix", socket)
	require.NoError(t, err)
	server := &http.Server{Handler: g}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })

	root := t.TempDir()
	for path, text := range map[string]string{"/proc/stat": "cpu 1 0 1 9 0 0 0 0 0 0\n", "/proc/meminfo": "MemAvailable: 16384 kB\n", "/proc/9/maps": "/x/libggml-cpu-haswell.so\n"} {
		path = filepath.Join(root, path)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	r := &rig{}
	r.Benchmark = Benchmark{
		Socket: socket, Root: root, Of: speed.Subject{Model: appliance.ModelID, Threads: 1}, BytesPerToken: 1000, Features: []string{"AVX2"},
		Say:   func(line string) { r.said = append(r.said, line) },
		Asked: func(context.Context) (float64, error) { return float64(r.asked), nil },
	}
	return r
}

func TestRun(t *testing.T) {
	var read atomic.Int64
	engine := localaitest.NewServer(t, localaitest.Options{
		Keys: []string{key}, ReadingSpeed: 20_000, TokenDelay: time.Millisecond,
		OnRead: func(one localaitest.Reading) { read.Add(int64(one.Read)) },
	})
	r := start(t, engine.Address)
	result, err := r.Run(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []string{"reading, and writing something new", "writing an edit", "the memory and the processors"}, r.said)
	assert.Greater(t, result.PromptTokens, 400)
	for name, value := range map[string]float64{
		"read": result.Read, "write": result.Write, "edit": result.Edit, "first token": result.FirstToken, "bandwidth": result.Bandwidth, "processors": result.Processors,
	} {
		assert.Positive(t, value, name)
	}
	assert.Equal(t, "haswell", result.Kernels)
	assert.Equal(t, []string{"AVX2"}, result.Features)
	assert.Equal(t, r.Of, result.Of)

	before := read.Load()
	_, err = r.Run(t.Context())
	require.NoError(t, err)
	assert.GreaterOrEqual(t, read.Load()-before, before*9/10, "what was read for the first one is not taken for fast")
}

func TestNothingIsMeasuredWhileTheModelIsInUse(t *testing.T) {
	asked, release := make(chan struct{}), make(chan struct{})
	engine := engineOf(t, func(w http.ResponseWriter, r *http.Request) {
		close(asked)
		<-release
		w.WriteHeader(http.StatusInternalServerError)
	})
	r := start(t, engine)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.ask(ctx, t)
	}()
	<-asked
	_, err := r.Run(t.Context())
	require.ErrorIs(t, err, ErrBusy)
	assert.NotContains(t, r.said, "the memory and the processors")
	cancel()
	close(release)
	<-done
}

func TestSomebodyAsksMeanwhile(t *testing.T) {
	first := make(chan struct{})
	var requests atomic.Int64
	engine := engineOf(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if requests.Add(1) > 1 {
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		close(first)
		<-r.Context().Done()
	})
	r := start(t, engine)
	failed := make(chan error)
	go func() {
		_, err := r.Run(t.Context())
		failed <- err
	}()
	<-first
	r.ask(t.Context(), t)
	assert.ErrorIs(t, <-failed, ErrBusy)
}

func TestWhatCannotBeMeasured(t *testing.T) {
	const head, end = `data: {"choices":[{"delta":{"content":"a"}}]}` + "\n\n", "data: [DONE]\n\n"
	for want, answer := range map[string]string{
		"the model answers with 3 tokens, too few":    head + `data: {"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":3}}` + "\n\n" + end,
		"does not say how many tokens the prompt has": strings.Repeat(head, 20) + end,
	} {
		r := start(t, engineOf(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			_, _ = io.WriteString(w, answer)
		}))
		_, err := r.Run(t.Context())
		assert.ErrorContains(t, err, want)
	}
	r := start(t, "127.0.0.1:1")
	_, err := r.Run(t.Context())
	require.Error(t, err)
	assert.NotErrorIs(t, err, ErrBusy, "an engine that is not there is not busy")
}

// A model that reasons first writes no word of an answer within what is asked for.
func TestAModelThatReasonsIsMeasured(t *testing.T) {
	r := start(t, engineOf(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		assert.NotContains(t, string(body), `"content":""`, "templates refuse an empty message")
		w.Header().Set("Content-Type", "text/event-stream")
		for range 20 {
			_, _ = io.WriteString(w, `data: {"choices":[{"delta":{"reasoning":"a"}}]}`+"\n\n")
		}
		_, _ = io.WriteString(w, `data: {"choices":[{"delta":{},"finish_reason":"length"}],"usage":{"prompt_tokens":512,"completion_tokens":20}}`+"\n\ndata: [DONE]\n\n")
	}))
	result, err := r.Run(t.Context())
	require.NoError(t, err)
	assert.Equal(t, 512, result.PromptTokens)
	assert.Positive(t, result.Write)
	assert.Zero(t, result.Edit, "it repeats nothing")
}

// Who asks while the memory is measured is measured, too.
func TestSomebodyAsksWhileTheMemoryIsMeasured(t *testing.T) {
	r := start(t, localaitest.NewServer(t, localaitest.Options{Keys: []string{key}}).Address)
	r.Say = func(line string) {
		if line == "the memory and the processors" {
			r.asked++
		}
	}
	_, err := r.Run(t.Context())
	assert.ErrorIs(t, err, ErrBusy)
}

// The last part of an answer comes before the gateway is done with it.
func TestTheSecondQuestionWaitsForTheFirst(t *testing.T) {
	r := start(t, localaitest.NewServer(t, localaitest.Options{Keys: []string{key}}).Address)
	for range 40 {
		require.NoError(t, r.both(t.Context()))
	}
}

// both asks both questions.
func (r *rig) both(ctx context.Context) error { return r.Benchmark.ask(ctx, &speed.Result{}) }

// engineOf is an engine that a test has written.
func engineOf(t *testing.T, handler http.HandlerFunc) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server := &http.Server{Handler: handler}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	return listener.Addr().String()
}

// ask sends the request of a user.
func (r *rig) ask(ctx context.Context, t *testing.T) {
	t.Helper()
	client := &http.Client{Transport: probe.ThroughSocket(r.Socket)}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://gateway"+appliance.PathChat, strings.NewReader(`{"messages":[{"role":"user","content":"hi"}],"stream":true}`))
	require.NoError(t, err)
	request.Header.Set(appliance.HeaderClient, "192.0.2.1")
	response, err := client.Do(request)
	if err == nil {
		_, _ = io.Copy(io.Discard, response.Body)
		_ = response.Body.Close()
	}
}
