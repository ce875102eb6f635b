package completion

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// stream is what LocalAI v4.9.0 sends: two pieces without content come first.
const stream = `data: {"choices":[{"index":0,"delta":{"role":"assistant","content":null}}]}

data: {"choices":[{"index":0,"delta":{"content":null}}]}

data: {"choices":[{"index":0,"delta":{"content":" repiki"}}]}

data: {"choices":[{"index":0,"delta":{"content":" belebe"}}]}

data: {"choices":[],"usage":{"prompt_tokens":17,"completion_tokens":3,"total_tokens":20}}

data: [DONE]

`

func answer(status int, contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func ask(t *testing.T, handler http.HandlerFunc) (Result, error) {
	t.Helper()
	server := httptest.NewServer(handler)
	defer server.Close()
	return Stream(t.Context(), server.Client(), server.URL+"/", "tiny", "secret", "hello", 4)
}

func TestStream(t *testing.T) {
	var request map[string]any
	var header http.Header
	result, err := ask(t, func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, "/v1/chat/completions", r.URL.Path)
		header = r.Header
		assert.NoError(t, json.NewDecoder(r.Body).Decode(&request))
		answer(http.StatusOK, "text/event-stream", stream)(w, r)
	})
	require.NoError(t, err)
	assert.Equal(t, " repiki belebe", result.Text)
	assert.Equal(t, 3, result.Tokens, "the server's count wins over the number of pieces")
	assert.Positive(t, result.FirstToken)
	assert.GreaterOrEqual(t, result.Total, result.FirstToken)

	assert.Equal(t, "Bearer secret", header.Get("Authorization"))
	assert.Equal(t, map[string]any{
		"model": "tiny", "max_tokens": 4.0, "stream": true,
		"stream_options": map[string]any{"include_usage": true},
		"messages":       []any{map[string]any{"role": "user", "content": "hello"}},
	}, request)
}

func TestStreamFails(t *testing.T) {
	const eventStream = "text/event-stream"
	tests := map[string]struct {
		handler http.HandlerFunc
		want    string
	}{
		"refused": {
			answer(http.StatusUnauthorized, "application/json", `{"error":{"code":401,"message":"An authentication key is required"}}`),
			"HTTP 401: An authentication key is required",
		},
		"an error of another program": {
			answer(http.StatusBadGateway, "text/html", "<html>Bad Gateway</html>"),
			"HTTP 502: <html>Bad Gateway</html>",
		},
		"not a stream": {
			answer(http.StatusOK, "application/json", `{"choices":[]}`),
			`expected a stream of events, got Content-Type "application/json"`,
		},
		"nothing but reasoning, as LocalAI names it": {
			answer(http.StatusOK, eventStream, strings.ReplaceAll(stream, `"content":" `, `"reasoning":" `)),
			"the model only thought: every token came as reasoning",
		},
		"nothing but reasoning, as llama.cpp names it": {
			answer(http.StatusOK, eventStream, strings.ReplaceAll(stream, `"content":" `, `"reasoning_content":" `)),
			"the model only thought: every token came as reasoning",
		},
		"an error inside the stream": {
			answer(http.StatusOK, eventStream, strings.Replace(stream, `{"choices":[],`, `{"error":{"message":"too long"},`, 1)),
			"the stream ends in an error: too long",
		},
		"cut": {
			answer(http.StatusOK, eventStream, stream[:strings.Index(stream, "data: [DONE]")]), //nolint:gocritic // it is there
			"the stream broke off after 3 tokens, before its end mark",
		},
		"no token": {
			answer(http.StatusOK, eventStream, "data: {\"choices\":[]}\n\ndata: [DONE]\n\n"),
			"the stream ended without a single token",
		},
		"not JSON": {
			answer(http.StatusOK, eventStream, "data: hello\n\n"),
			"the stream holds an event that is not JSON",
		},
		"an endless line": {
			answer(http.StatusOK, eventStream, "data: "+strings.Repeat("x", maxEvent)),
			"the stream broke off after 0 tokens: bufio.Scanner: token too long",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := ask(t, tt.handler)
			assert.ErrorContains(t, err, tt.want)
		})
	}
}

func TestStatusIsFound(t *testing.T) {
	_, err := ask(t, answer(http.StatusServiceUnavailable, "application/json", "{}"))
	var status *StatusError
	require.ErrorAs(t, err, &status)
	assert.Equal(t, http.StatusServiceUnavailable, status.Status)
}

func TestCancelEndsAStreamThatHangs(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.WriteHeader(http.StatusOK)
		assert.NoError(t, http.NewResponseController(w).Flush())
		cancel()
		<-r.Context().Done()
	}))
	defer server.Close()
	_, err := Stream(ctx, server.Client(), server.URL, "tiny", "", "hello", 1)
	assert.ErrorIs(t, err, context.Canceled)
}

func TestNobodyListens(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	_, err := Stream(t.Context(), http.DefaultClient, server.URL, "tiny", "", "hello", 1)
	assert.ErrorContains(t, err, "connection refused")
	assert.Equal(t, 1, strings.Count(err.Error(), server.URL), "the address is said once")
}

func FuzzReadStream(f *testing.F) {
	f.Add(stream)
	f.Add("data: {\"error\":{}}\n\n")
	f.Fuzz(func(t *testing.T, body string) {
		result, err := readStream(strings.NewReader(body), time.Now())
		if err == nil && (result.Text == "" || result.Tokens < 1) {
			t.Fatalf("an answer without text was accepted: %+v", result)
		}
	})
}
