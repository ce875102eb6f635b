package messages

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/goldentest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/chat"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/failure"
)

// readScript reads a request, the first line, and what an engine streams, a chunk a line.
func readScript(t testing.TB, path string) (*Request, []chat.Chunk) {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	chunks := make([]chat.Chunk, len(lines)-1)
	for i := range chunks {
		require.NoError(t, json.Unmarshal([]byte(lines[i+1]), &chunks[i]), path)
	}
	return decode(t, lines[0]), chunks
}

func scripts(t testing.TB) []string {
	t.Helper()
	paths, err := filepath.Glob("testdata/*.script")
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	return paths
}

// TestAnswers compares streams and whole answers with golden files. The tests in the folder sdk
// have Anthropic's SDK read the same.
func TestAnswers(t *testing.T) {
	for _, path := range scripts(t) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			request, chunks := readScript(t, path)
			answer := request.Answer("msg_1", time.Time{})
			events := append(answer.Begin(), answer.Alive()...)
			for _, chunk := range chunks {
				events = append(events, answer.Add(chunk)...)
			}
			events = append(events, answer.End()...)
			checkOrder(t, events)
			golden := strings.TrimSuffix(path, ".script")
			goldentest.Equal(t, golden+".events", events)
			goldentest.Equal(t, golden+".answer.json", indented(t, json.RawMessage(answer.Whole())))
		})
	}
}

func startAnswer(t *testing.T) *Answer {
	t.Helper()
	return decode(t, `{"model":"m",`+oneMessage+`}`).Answer("msg_1", time.Time{})
}

func TestAddBegins(t *testing.T) {
	answer := startAnswer(t)
	hi := chat.Chunk{Choices: []chat.ChunkChoice{{Delta: chat.Delta{Content: chat.Text("Hi")}}}}
	assert.Equal(t, []string{"message_start", "content_block_start", "content_block_delta"}, eventTypes(t, answer.Add(hi)))
	assert.Equal(t, []string{"content_block_delta"}, eventTypes(t, answer.Add(hi)))
}

func TestEndBegins(t *testing.T) {
	assert.Equal(t, []string{"message_start", "message_delta", "message_stop"}, eventTypes(t, startAnswer(t).End()))
}

func TestUsage(t *testing.T) {
	cases := map[string]struct {
		told chat.Usage
		want usage
	}{
		"with a cache": {
			chat.Usage{PromptTokens: 100, CompletionTokens: 7, PromptTokensDetails: &chat.PromptDetails{CachedTokens: 90}},
			usage{InputTokens: 10, CacheReadInputTokens: 90, OutputTokens: 7},
		},
		"of an engine that tells no cache": {
			chat.Usage{PromptTokens: 100, CompletionTokens: 7},
			usage{InputTokens: 100, OutputTokens: 7},
		},
		"with more in the cache than in the prompt": {
			chat.Usage{PromptTokens: 5, PromptTokensDetails: &chat.PromptDetails{CachedTokens: 6}},
			usage{CacheReadInputTokens: 6},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, c.want, translateUsage(c.told))
		})
	}
}

func TestCount(t *testing.T) {
	assert.JSONEq(t, `{"input_tokens":12400}`, string(Count(12400)))
}

// A stream that fails ends with its error at whatever point, and nothing before it says that a
// block or the message is whole.
func TestFail(t *testing.T) {
	down := &failure.Error{Status: http.StatusServiceUnavailable, Type: failure.Server, Message: "The model is restarting."}
	request, chunks := readScript(t, "testdata/call-in-pieces.script")
	for sent := range len(chunks) + 1 {
		answer := request.Answer("msg_1", time.Time{})
		var events []byte
		for _, chunk := range chunks[:sent] {
			events = append(events, answer.Add(chunk)...)
		}
		last := answer.Fail(down)
		assert.Equal(t, []string{"error"}, eventTypes(t, last))
		assert.True(t, bytes.HasSuffix(last, append(ErrorBody(down), "\n\n"...)))
		assert.NotContains(t, string(events), "_stop")
		assert.NotContains(t, string(events), toolUse, "a call that a client could run")
	}
}
