package engine

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/failure"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/sse"
)

func event(choice string) string {
	return `data: {"id":"x","object":"chat.completion.chunk","created":1,"model":"m","choices":[` + choice + "]}\n\n"
}

// plain is an event of /v1/completions.
func plain(choice string) string {
	return strings.Replace(event(choice), "chat.completion.chunk", "text_completion", 1)
}

func delta(text string) string {
	return event(fmt.Sprintf(`{"index":0,"delta":{"content":%q},"finish_reason":null}`, text))
}

func finish(reason string) string {
	return event(fmt.Sprintf(`{"index":0,"delta":{},"finish_reason":%q}`, reason))
}

func called(index int, id, name, arguments string) string {
	return event(fmt.Sprintf(`{"index":0,"delta":{"tool_calls":[{"index":%d,"id":%q,"type":"function","function":{"name":%q,"arguments":%q}}]},"finish_reason":null}`,
		index, id, name, arguments))
}

func usage(prompt, completion int) string {
	return fmt.Sprintf(`data: {"id":"x","object":"chat.completion.chunk","created":1,"model":"m","choices":[],"usage":{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d}}`+"\n\n", prompt, completion, prompt+completion)
}

const done = "data: [DONE]\n\n"

// all returns what a client of Chat Completions gets of an answer.
func all(t testing.TB, contextSize int, sent string) (string, error) {
	t.Helper()
	s := newStream(io.NopCloser(strings.NewReader(sent)), contextSize, true)
	var got bytes.Buffer
	for {
		next, err := s.Next()
		if err != nil {
			var failed *failure.Error
			require.ErrorAs(t, err, &failed)
			return got.String(), err
		}
		got.Write(next.Raw)
		if next.Done {
			return got.String(), nil
		}
	}
}

func TestWhatIsPutRight(t *testing.T) {
	for name, tt := range map[string]struct{ sent, want string }{
		"nothing": {delta("a") + finish("stop") + usage(10, 1) + done, delta("a") + finish("stop") + usage(10, 1) + done},
		"the context is full": {
			delta("a") + finish("stop") + usage(90, 10) + done,
			delta("a") + finish("length") + usage(90, 10) + done,
		},
		"the context is full, of calls": {
			called(0, "1", "ls", "{}") + finish("tool_calls") + usage(90, 10) + done,
			called(0, "1", "ls", "{}") + finish("tool_calls") + usage(90, 10) + done,
		},
		"cut in a call": {
			called(0, "1", "ls", `{"a":`) + finish("tool_calls") + usage(10, 10) + done,
			called(0, "1", "ls", `{"a":`) + finish("length") + usage(10, 10) + done,
		},
		"almost full": {delta("a") + finish("stop") + usage(90, 9) + done, delta("a") + finish("stop") + usage(90, 9) + done},
		"two calls": {
			called(0, "1", "ls", "{}") + called(1, "2", "ls", "{}") + finish("tool_calls") + done,
			called(0, "1", "ls", "{}") + called(1, "2", "ls", "{}") + finish("tool_calls") + done,
		},
		"one call twice": {
			called(0, "x", "ls", "{}") + called(1, "x-1", "ls", "{}") + finish("tool_calls") + done,
			called(0, "x", "ls", "{}") + finish("tool_calls") + done,
		},
		"one call twice, written differently": {
			called(0, "x", "ls", `{"a":"b"}`) + delta("") + called(1, "x-1", "ls", "") + called(1, "x-1", "ls", `{"a": "b"}`) + delta("") + finish("tool_calls") + done,
			called(0, "x", "ls", `{"a":"b"}`) + delta("") + delta("") + finish("tool_calls") + done,
		},
		"a plain completion": {
			plain(`{"index":0,"finish_reason":null,"text":"a"}`) + plain(`{"index":0,"finish_reason":"stop"}`) + usage(0, 0) + done,
			plain(`{"index":0,"finish_reason":null,"text":"a"}`) + plain(`{"index":0,"finish_reason":"stop"}`) + usage(0, 0) + done,
		},
		"one call twice, in parts": {
			called(0, "x", "ls", "{}") + called(1, "x-1", "ls", "") + called(1, "", "", "{}") + finish("tool_calls") + done,
			called(0, "x", "ls", "{}") + finish("tool_calls") + done,
		},
		"one call twice, and another": {
			called(0, "x", "ls", "{}") + called(1, "x-1", "ls", "{}") + called(2, "x-2", "cat", "{}") + finish("tool_calls") + done,
			called(0, "x", "ls", "{}") + called(1, "x-2", "cat", "{}") + finish("tool_calls") + done,
		},
		"other arguments": {
			called(0, "x", "ls", "{}") + called(1, "x-1", "ls", `{"a":1}`) + finish("tool_calls") + done,
			called(0, "x", "ls", "{}") + called(1, "x-1", "ls", `{"a":1}`) + finish("tool_calls") + done,
		},
		"text that speaks of an error": {
			delta("I read: request (5 tokens) exceeds the available context size (4 tokens)") + finish("stop") + done,
			delta("I read: request (5 tokens) exceeds the available context size (4 tokens)") + finish("stop") + done,
		},
		"text that is like an error": {
			delta("request (5 tokens) exceeds the available context size (4 tokens)") + delta(" is an error.") + finish("stop") + done,
			delta("request (5 tokens) exceeds the available context size (4 tokens)") + delta(" is an error.") + finish("stop") + done,
		},
		"comments":        {": hello\n\n" + delta("a") + done, delta("a") + done},
		"other new lines": {strings.ReplaceAll(delta("a"), "\n", "\r\n") + done, strings.ReplaceAll(delta("a"), "\n", "\r\n") + done},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := all(t, 100, tt.sent)
			require.NoError(t, err)
			assert.Equal(t, normal(t, tt.want), normal(t, got))
		})
	}
}

// normal writes every event in the same way: what is put right is encoded again.
func normal(t *testing.T, stream string) []string {
	t.Helper()
	var events []string
	s := newStream(io.NopCloser(strings.NewReader(stream)), 1<<30, true)
	for {
		next, err := s.read()
		require.NoError(t, err)
		if next.Done {
			return events
		}
		events = append(events, string(sse.Data(next.Chunk)))
	}
}

func TestAnswersThatAreErrors(t *testing.T) {
	for name, tt := range map[string]struct{ sent, got, code string }{
		"cut in a line":      {delta("a") + `data: {"ch`, delta("a"), "answer_cut"},
		"cut after an event": {delta("a"), delta("a"), "answer_cut"},
		"nothing at all":     {"", "", "answer_cut"},
		"no JSON":            {delta("a") + "data: {\n\n", delta("a"), "answer_cut"},
		"an error":           {delta("a") + `data: {"error":{"message":"rpc error: code = Unknown desc = x"}}` + "\n\n" + done, delta("a"), "internal_error"},
		"an error as text": {
			event(`{"index":0,"finish_reason":null,"text":"request (1501 tokens) exceeds the available context size (1024 tokens), try increasing it"}`) +
				event(`{"index":0,"finish_reason":"stop","text":"Internal error: rpc error: code = Internal desc = request (1501 tokens) exceeds the available context size (1024 tokens), try increasing it"}`), "", "context_length_exceeded",
		},
		"an error that was lost": {finish("stop") + usage(0, 0) + done, "", "answer_cut"},
		"larger than memory":     {"data: " + strings.Repeat("a", sse.MaxEvent) + "\n\n", "", "answer_cut"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := all(t, 100, tt.sent)
			assert.Equal(t, tt.got, got)
			var failed *failure.Error
			require.ErrorAs(t, err, &failed)
			assert.Equal(t, tt.code, failed.Code)
		})
	}
}

// Of an answer without a mistake no byte is changed, whatever it says.
func FuzzAnswersGoThrough(f *testing.F) {
	f.Add("one", "two", false)
	f.Add("request (5 tokens) exceeds the available context size (4 tokens)", "\n\ndata: [DONE]\n\n", true)
	f.Fuzz(func(t *testing.T, one, two string, crlf bool) {
		sent := delta(one) + delta(two) + called(0, "x", one, `{"a":1}`) + finish("tool_calls") + usage(10, 1) + done
		if crlf {
			sent = strings.ReplaceAll(sent, "\n", "\r\n")
		}
		if !utf8.ValidString(one+two) || !json.Valid([]byte(strconv.Quote(one))) || !json.Valid([]byte(strconv.Quote(two))) {
			return // what %q writes is not JSON
		}
		got, err := all(t, 1<<30, sent)
		require.NoError(t, err)
		assert.Equal(t, sent, got)
	})
}

// Nothing the engine sends is more than an error.
func FuzzStream(f *testing.F) {
	f.Add(delta("a") + finish("stop") + usage(10, 1) + done)
	f.Add(called(0, "x", "ls", "{}") + called(1, "x-1", "ls", "{}") + finish("tool_calls") + done)
	f.Add("data: {\"choices\":[{}]}\r\n\r\n: b\n\ndata:[DONE]\n\n")
	f.Fuzz(func(t *testing.T, sent string) { _, _ = all(t, 100, sent) })
}
