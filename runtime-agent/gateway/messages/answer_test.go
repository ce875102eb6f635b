package messages

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/anthropics/anthropic-sdk-go/v2"
	"github.com/anthropics/anthropic-sdk-go/v2/packages/ssestream"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/goldentest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/chat"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/failure"
)

const (
	usageChunk = `{"choices":[],"usage":{"prompt_tokens":100,"completion_tokens":7,"total_tokens":107,"prompt_tokens_details":{"cached_tokens":90}}}`
	stopChunk  = `{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`
	callsChunk = `{"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}`
	cutChunk   = `{"choices":[{"index":0,"delta":{},"finish_reason":"length"}]}`
)

func textChunk(text string) string {
	return fmt.Sprintf(`{"choices":[{"index":0,"delta":{"content":%q},"finish_reason":null}]}`, text)
}

func reasoningChunk(text string) string {
	return fmt.Sprintf(`{"choices":[{"index":0,"delta":{"reasoning":%q},"finish_reason":null}]}`, text)
}

func callChunk(call string) string {
	return fmt.Sprintf(`{"choices":[{"index":0,"delta":{"tool_calls":[%s]},"finish_reason":null}]}`, call)
}

func parseChunks(t testing.TB, texts ...string) []chat.Chunk {
	t.Helper()
	chunks := make([]chat.Chunk, len(texts))
	for i, text := range texts {
		require.NoError(t, json.Unmarshal([]byte(text), &chunks[i]), text)
	}
	return chunks
}

// answers are what an engine may stream.
var answers = map[string]struct {
	settings string // of the request
	chunks   []string
	want     string // the whole answer
}{
	"text": {
		chunks: []string{
			`{"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}`,
			textChunk("Hello <"), textChunk("b>\n"), textChunk("world"), stopChunk, usageChunk,
		},
		want: `{"content":[{"type":"text","text":"Hello <b>\nworld"}],"stop_reason":"end_turn"}`,
	},
	"text-cut": {
		chunks: []string{textChunk("Hello"), cutChunk, usageChunk},
		want:   `{"content":[{"type":"text","text":"Hello"}],"stop_reason":"max_tokens"}`,
	},
	"nothing": {
		chunks: []string{stopChunk, usageChunk},
		want:   `{"content":[],"stop_reason":"end_turn"}`,
	},
	"call-in-pieces": {
		chunks: []string{
			textChunk("Let me look"),
			callChunk(`{"index":0,"id":"call_1","type":"function","function":{"name":"Bash","arguments":""}}`),
			callChunk(`{"index":0,"function":{"arguments":"{\"command\""}}`),
			callChunk(`{"index":0,"function":{"arguments":": \"ls\"}"}}`),
			callsChunk, usageChunk,
		},
		want: `{"content":[{"type":"text","text":"Let me look"},
			{"type":"tool_use","id":"call_1","name":"Bash","input":{"command":"ls"}}],"stop_reason":"tool_use"}`,
	},
	"calls-mixed-with-text": {
		chunks: []string{
			callChunk(`{"index":0,"id":"call_1","function":{"name":"Bash","arguments":"{\"command\":"}},
				{"index":1,"id":"call_2","function":{"name":"List","arguments":"{"}}`),
			textChunk("Both at once"),
			callChunk(`{"index":1,"function":{"arguments":"}"}},{"index":0,"function":{"arguments":"\"ls\"}"}}`),
			callsChunk, usageChunk,
		},
		want: `{"content":[{"type":"text","text":"Both at once"},
			{"type":"tool_use","id":"call_1","name":"Bash","input":{"command":"ls"}},
			{"type":"tool_use","id":"call_2","name":"List","input":{}}],"stop_reason":"tool_use"}`,
	},
	// As llama-server ends some answers with calls.
	"calls-without-ids-indices-or-reason": {
		chunks: []string{
			callChunk(`{"function":{"name":"Bash","arguments":"{\"command\":"}}`),
			callChunk(`{"function":{"arguments":"\"ls\"}"}}`),
			callChunk(`{"function":{"name":"List","arguments":""}}`),
			stopChunk, usageChunk,
		},
		want: `{"content":[{"type":"tool_use","id":"toolu_msg_1_0","name":"Bash","input":{"command":"ls"}},
			{"type":"tool_use","id":"toolu_msg_1_1","name":"List","input":{}}],"stop_reason":"tool_use"}`,
	},
	"call-cut": {
		chunks: []string{
			textChunk("Let me write"),
			callChunk(`{"index":0,"id":"call_1","function":{"name":"List","arguments":" {} "}}`),
			callChunk(`{"index":1,"id":"call_2","function":{"name":"Write","arguments":"{\"text\":\"half a fi"}}`),
			cutChunk, usageChunk,
		},
		want: `{"content":[{"type":"text","text":"Let me write"},
			{"type":"tool_use","id":"call_1","name":"List","input":{}}],"stop_reason":"max_tokens"}`,
	},
	"call-not-json": {
		chunks: []string{
			callChunk(`{"index":0,"id":"call_1","function":{"name":"Bash","arguments":"{command: \"ls\"}"}}`),
			callChunk(`{"index":1,"id":"call_2","function":{"name":"Bash","arguments":"[1]"}}`),
			callsChunk, usageChunk,
		},
		want: `{"content":[{"type":"tool_use","id":"call_1","name":"Bash","input":{"INVALID_JSON":"{command: \"ls\"}"}},
			{"type":"tool_use","id":"call_2","name":"Bash","input":{"INVALID_JSON":"[1]"}}],"stop_reason":"tool_use"}`,
	},
	"one-call-wanted": {
		settings: `"tool_choice":{"type":"auto","disable_parallel_tool_use":true},`,
		chunks: []string{
			callChunk(`{"index":0,"id":"call_1","function":{"name":"Bash","arguments":"{}"}}`),
			callChunk(`{"index":1,"id":"call_2","function":{"name":"List","arguments":"{}"}}`),
			callsChunk, usageChunk,
		},
		want: `{"content":[{"type":"tool_use","id":"call_1","name":"Bash","input":{}}],"stop_reason":"tool_use"}`,
	},
	"reasoning-and-text": {
		chunks: []string{reasoningChunk("Hm, "), reasoningChunk("hm."), textChunk("7"), stopChunk, usageChunk},
		want:   `{"content":[{"type":"text","text":"7"}],"stop_reason":"end_turn"}`,
	},
	"reasoning-and-call": {
		chunks: []string{reasoningChunk("Hm."), callChunk(`{"index":0,"id":"call_1","function":{"name":"Bash","arguments":"{}"}}`), callsChunk, usageChunk},
		want:   `{"content":[{"type":"tool_use","id":"call_1","name":"Bash","input":{}}],"stop_reason":"tool_use"}`,
	},
	"reasoning-alone": {
		chunks: []string{reasoningChunk("It is "), reasoningChunk("7"), stopChunk, usageChunk},
		want:   `{"content":[{"type":"text","text":"It is 7"}],"stop_reason":"end_turn"}`,
	},
}

func startAnswer(t testing.TB, settings string) *Answer {
	t.Helper()
	request := decode(t, `{"model":"m",`+settings+oneMessage+`}`)
	return request.Answer("msg_1", time.Unix(0, 0))
}

// TestAnswers has Anthropic's SDK read every stream and every whole answer.
func TestAnswers(t *testing.T) {
	for name, c := range answers {
		t.Run(name, func(t *testing.T) {
			answer := startAnswer(t, c.settings)
			events := answer.Begin()
			events = append(events, answer.Alive()...)
			for _, chunk := range parseChunks(t, c.chunks...) {
				events = append(events, answer.Add(chunk)...)
			}
			events = append(events, answer.End()...)
			goldentest.Equal(t, "testdata/"+name+".events", events)

			streamed, err := accumulate(events)
			require.NoError(t, err)
			requireMessage(t, c.want, streamed)

			var whole anthropic.Message
			require.NoError(t, json.Unmarshal(answer.Whole(), &whole))
			requireMessage(t, c.want, whole)
		})
	}
}

// accumulate reads a stream as Anthropic's SDK does.
func accumulate(events []byte) (anthropic.Message, error) {
	stream := ssestream.NewStream[anthropic.MessageStreamEventUnion](ssestream.NewDecoder(&http.Response{
		StatusCode: http.StatusOK,
		Header:     http.Header{"Content-Type": {"text/event-stream"}},
		Body:       io.NopCloser(strings.NewReader(string(events))),
	}), nil)
	var message anthropic.Message
	for stream.Next() {
		if err := message.Accumulate(stream.Current()); err != nil {
			return message, err
		}
	}
	return message, stream.Err()
}

// requireMessage compares a message that the SDK has read; want holds its content and reason.
func requireMessage(t *testing.T, want string, got anthropic.Message) {
	t.Helper()
	type block struct {
		Type  string          `json:"type"`
		Text  string          `json:"text,omitempty"`
		ID    string          `json:"id,omitempty"`
		Name  string          `json:"name,omitempty"`
		Input json.RawMessage `json:"input,omitempty"`
	}
	content := []block{}
	for _, b := range got.Content {
		content = append(content, block{b.Type, b.Text, b.ID, b.Name, b.Input})
	}
	encoded, err := json.Marshal(map[string]any{"content": content, "stop_reason": got.StopReason})
	require.NoError(t, err)
	require.JSONEq(t, want, string(encoded))
	assert.Equal(t, "msg_1", got.ID)
	assert.Equal(t, "message", string(got.Type))
	assert.Equal(t, "assistant", string(got.Role))
	assert.Equal(t, "m", got.Model)
	assert.Equal(t, []int64{10, 90, 0, 7}, []int64{
		got.Usage.InputTokens, got.Usage.CacheReadInputTokens, got.Usage.CacheCreationInputTokens, got.Usage.OutputTokens,
	})
}

func TestAddBegins(t *testing.T) {
	answer := startAnswer(t, "")
	assert.True(t, strings.HasPrefix(string(answer.Add(parseChunks(t, textChunk("Hi"))[0])), "event: message_start\n"))
	assert.NotContains(t, string(answer.Add(parseChunks(t, textChunk("Hi"))[0])), "message_start")
}

func TestEndBegins(t *testing.T) {
	message, err := accumulate(startAnswer(t, "").End())
	require.NoError(t, err)
	assert.Equal(t, anthropic.StopReasonEndTurn, message.StopReason)
	assert.Empty(t, message.Content)
}

// Some engines tell no numbers of the cache.
func TestUsageWithoutCache(t *testing.T) {
	assert.Equal(t, usage{InputTokens: 5, OutputTokens: 2}, translateUsage(chat.Usage{PromptTokens: 5, CompletionTokens: 2}))
	more := chat.Usage{PromptTokens: 5, PromptTokensDetails: &chat.PromptDetails{CachedTokens: 6}}
	assert.Equal(t, usage{CacheReadInputTokens: 6}, translateUsage(more))
}

func TestCount(t *testing.T) {
	var count anthropic.MessageTokensCount
	require.NoError(t, json.Unmarshal(Count(12400), &count))
	assert.Equal(t, int64(12400), count.InputTokens)
}

// A stream that fails ends with its error at whatever point, and nothing before it says that a
// block or the message is whole.
func TestFail(t *testing.T) {
	down := &failure.Error{Status: http.StatusServiceUnavailable, Type: failure.Server, Message: "The model is restarting."}
	c := answers["call-in-pieces"]
	for sent := range len(c.chunks) {
		answer := startAnswer(t, "")
		var events []byte
		for _, chunk := range parseChunks(t, c.chunks[:sent]...) {
			events = append(events, answer.Add(chunk)...)
		}
		events = append(events, answer.Fail(down)...)
		message, err := accumulate(events)
		require.ErrorContains(t, err, `{"type":"error","error":{"message":"The model is restarting.","type":"overloaded_error"`)
		assert.Empty(t, message.StopReason)
		assert.NotContains(t, string(events), "_stop")
		assert.NotContains(t, string(events), "tool_use", "a call that a client could run")
	}
}
