package gateway

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/sse"
)

// benchmarkStream reads answers of so many tokens, from the engine itself or through the gateway.
func benchmarkStream(b *testing.B, tokens int, through bool) {
	answer := []string{role}
	for i := range tokens {
		answer = append(answer, delta(fmt.Sprintf(" token%d", i)))
	}
	behind := httptest.NewServer(says(append(answer, stopped, usage(10, tokens), done)...))
	defer behind.Close()
	r := &rig{url: behind.URL}
	if through {
		r = startAt(b, behind.URL)
		r.grace, r.interval = grace, interval
	}
	for b.Loop() {
		response := r.post(b, appliance.PathChat, chatStream)
		_, err := io.Copy(io.Discard, response.Body)
		require.NoError(b, err)
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/float64(tokens), "us/token")
}

func BenchmarkStreamOfTheEngine(b *testing.B)  { benchmarkStream(b, 1000, false) }
func BenchmarkStreamOfTheGateway(b *testing.B) { benchmarkStream(b, 1000, true) }
func BenchmarkAnswerOfTheEngine(b *testing.B)  { benchmarkStream(b, 1, false) }
func BenchmarkAnswerOfTheGateway(b *testing.B) { benchmarkStream(b, 1, true) }

// BenchmarkTokenLatency measures how long a token takes through the gateway: the engine sends one
// when the last has arrived.
func BenchmarkTokenLatency(b *testing.B) {
	next := make(chan struct{})
	r := start(b, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "text/event-stream")
		for {
			_, _ = io.WriteString(w, delta("a"))
			_ = http.NewResponseController(w).Flush()
			select {
			case <-next:
			case <-r.Context().Done():
				return
			}
		}
	})
	response := r.post(b, appliance.PathChat, chatStream)
	events := sse.NewReader(response.Body)
	_, err := events.Next()
	require.NoError(b, err)
	for b.Loop() {
		next <- struct{}{}
		_, err := events.Next()
		require.NoError(b, err)
	}
}

// BenchmarkLargePrompt sends a prompt of 64 KB, as a coding agent's first.
func BenchmarkLargePrompt(b *testing.B) {
	r := start(b, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		says(role, delta("a"), stopped, done)(w, r)
	})
	body := fmt.Sprintf(`{"messages":[{"role":"user","content":%q}],"stream":true}`, strings.Repeat("some words of a prompt\n", 600))
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		_, err := io.Copy(io.Discard, r.post(b, appliance.PathChat, body).Body)
		require.NoError(b, err)
	}
}

// BenchmarkIdleStreams keeps 64 connections that wait, and measures what a sign of life for all of
// them costs.
func BenchmarkIdleStreams(b *testing.B) {
	r := start(b, held(nil, nil), func(c *Config) { c.Slots = 64 })
	r.grace, r.interval = time.Millisecond, time.Millisecond
	var streams []*sse.Reader
	for i := range 64 {
		response := r.ask(b.Context(), b, net.IPv4(192, 0, 2, byte(i)).String(), http.MethodPost, appliance.PathChat, chatStream)
		streams = append(streams, sse.NewReader(response.Body))
	}
	for b.Loop() {
		for _, stream := range streams {
			_, err := stream.Next()
			require.NoError(b, err)
		}
	}
}
