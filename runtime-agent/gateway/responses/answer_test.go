package responses

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/goldentest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/chat"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/failure"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/sse"
)

var created = time.Unix(1700000000, 0)

func text(content string) chat.Chunk {
	return delta(chat.Delta{Content: &content})
}

func delta(d chat.Delta) chat.Chunk { return chat.Chunk{Choices: []chat.ChunkChoice{{Delta: d}}} }

func end(reason string) chat.Chunk {
	return chat.Chunk{Choices: []chat.ChunkChoice{{FinishReason: &reason}}}
}

func call(index int, id, name, arguments string) chat.Chunk {
	return delta(chat.Delta{ToolCalls: []chat.ToolCall{
		{Index: &index, ID: id, Type: "function", Function: chat.Function{Name: name, Arguments: arguments}},
	}})
}

var counted = chat.Chunk{Usage: &chat.Usage{
	PromptTokens: 100, CompletionTokens: 7, TotalTokens: 107, PromptTokensDetails: &chat.PromptDetails{CachedTokens: 90},
}}

// toolRequest lists a function, a custom tool and a namespace.
func toolRequest(t testing.TB, more string) *Request {
	return decode(t, `{"model":"m","input":"hi","stream":true,"tools":[`+list+`,`+patch+`,`+team+`]`+more+`}`)
}

// stream returns all events for chunks that end in a whole answer.
func stream(answer *Answer, chunks ...chat.Chunk) []byte {
	events := answer.Begin()
	for _, chunk := range chunks {
		events = append(events, answer.Add(chunk)...)
	}
	return append(events, answer.End()...)
}

// payloads returns the data of each event.
func payloads(t testing.TB, events []byte) [][]byte {
	t.Helper()
	var all [][]byte
	for reader := sse.NewReader(bytes.NewReader(events)); ; {
		event, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		require.NoError(t, err)
		all = append(all, event.Data)
	}
}

// object is the part of a response that these tests look at.
type object struct {
	ID, Status        string
	Error             *responseError
	IncompleteDetails *incompleteDetails `json:"incomplete_details"`
	Output            []struct {
		Type, Status, Name, Arguments, Input string
		Content                              []struct{ Text string }
	}
}

// lines writes the output as lines that are easy to compare.
func (o object) lines() []string {
	var lines []string
	for _, item := range o.Output {
		line := item.Type + " " + item.Name + item.Arguments + item.Input
		for _, part := range item.Content {
			line += part.Text
		}
		lines = append(lines, line)
	}
	return lines
}

func whole(t testing.TB, answer *Answer) object {
	t.Helper()
	var o object
	require.NoError(t, json.Unmarshal(answer.Whole(), &o))
	return o
}

// last returns the last event, and the response that it holds.
func last(t testing.TB, events []byte) (kind string, o object) {
	t.Helper()
	all := payloads(t, events)
	var event struct {
		Type     string
		Response object
	}
	require.NoError(t, json.Unmarshal(all[len(all)-1], &event))
	return event.Type, event.Response
}

// These streams and answers are decoded by OpenAI's own library too, in package sdk.
func TestAnswersAreGolden(t *testing.T) {
	tests := map[string]func(*Answer) []byte{
		"text": func(a *Answer) []byte {
			return stream(a, delta(chat.Delta{Role: "assistant", Content: chat.Text("")}), text("Hell"), text("o <b>"), end(chat.Stop), counted)
		},
		"calls": func(a *Answer) []byte {
			return stream(a,
				text("I call"),
				call(0, "c0", "list", `{"d"`), call(0, "", "", `: "x"}`),
				call(1, "c1", "patch", `{"input":"*** a\n"}`),
				call(2, "c2", "team__ask", ""),
				call(3, "", "team__tell", `{"input":"b"}`),
				text(" them"), end(chat.ToolCalls), counted)
		},
		"cut": func(a *Answer) []byte {
			return stream(a, text("I call"), call(0, "c0", "patch", `{"input":"*** a`), end(chat.Length), counted)
		},
		"nothing": func(a *Answer) []byte { return stream(a) },
		"alive": func(a *Answer) []byte {
			events := append(a.Alive(), a.Alive()...)
			events = append(events, a.Add(text("Hell"))...)
			events = append(events, a.Add(call(0, "c0", "list", "{"))...)
			events = append(events, a.Alive()...)
			events = append(events, a.Add(text("o"))...)
			events = append(events, a.Add(call(0, "", "", "}"))...)
			return append(events, a.End()...)
		},
		"failed": func(a *Answer) []byte {
			events := append(a.Begin(), a.Add(text("par"))...)
			return append(events, a.Fail(&failure.Error{Type: failure.Server, Code: "engine_failed", Message: "The engine broke off."})...)
		},
		"too-long": func(a *Answer) []byte {
			return a.Fail(&failure.Error{
				Status: 400, Type: failure.InvalidRequest, Code: failure.ContextLengthExceeded, Param: "input",
				Message: "The prompt is too long.", Prompt: 9, Limit: 8,
			})
		},
	}
	for name, give := range tests {
		t.Run(name, func(t *testing.T) {
			answer := toolRequest(t, `,"temperature":0.5,"max_output_tokens":9`).Answer("resp_7", created)
			events := give(answer)
			checkGrammar(t, events)
			goldentest.Equal(t, filepath.Join("testdata", name+".golden.sse"), events)
			goldentest.Equal(t, filepath.Join("testdata", name+".golden.json"), append(answer.Whole(), '\n'))
		})
	}
}

// The answer comes back with the client's next request as the engine gave it.
func TestAnswerReturnsAsHistory(t *testing.T) {
	request := toolRequest(t, "")
	answer := request.Answer("resp_7", created)
	stream(answer, text("I call"), call(0, "c0", "team__ask", `{"a": 1}`), call(1, "c1", "patch", `{"input":"x"}`), end(chat.ToolCalls))
	var response struct{ Output []json.RawMessage }
	require.NoError(t, json.Unmarshal(answer.Whole(), &response))
	items := []string{user}
	for _, item := range response.Output {
		items = append(items, string(item))
	}
	next := decode(t, `{"input":[`+strings.Join(items, ",")+`],"tools":[`+list+`,`+patch+`,`+team+`]}`)
	assert.Equal(t, []string{"user: hi", `assistant: I call [c0 team__ask {"a": 1}] [c1 patch {"input":"x"}]`}, messages(next))
}

func TestAnswers(t *testing.T) {
	tests := map[string]struct {
		more   string
		chunks []chat.Chunk
		status string
		output []string
	}{
		"nothing":               {"", nil, "completed", nil},
		"without usage":         {"", []chat.Chunk{text("a"), end(chat.Stop)}, "completed", []string{"message a"}},
		"calls alone":           {"", []chat.Chunk{call(0, "c", "list", "{}"), end(chat.ToolCalls)}, "completed", []string{"function_call list{}"}},
		"a call of what is not": {"", []chat.Chunk{call(0, "c", "rm", "{}"), end(chat.ToolCalls)}, "completed", []string{"function_call rm{}"}},
		"a call without a name": {"", []chat.Chunk{call(0, "c", "", "{}"), end(chat.ToolCalls)}, "completed", nil},
		"wrong arguments":       {"", []chat.Chunk{call(0, "c", "list", "{"), end(chat.ToolCalls)}, "completed", []string{"function_call list{"}},
		"calls without an index": {"", []chat.Chunk{delta(chat.Delta{ToolCalls: []chat.ToolCall{
			{ID: "a", Function: chat.Function{Name: "list"}}, {ID: "b", Function: chat.Function{Name: "list"}},
		}})}, "completed", []string{"function_call list{}", "function_call list{}"}},
		"calls in parallel":      {"", []chat.Chunk{call(0, "c", "list", "{}"), call(1, "d", "list", "{}")}, "completed", []string{"function_call list{}", "function_call list{}"}},
		"one call only":          {`,"parallel_tool_calls":false`, []chat.Chunk{call(0, "c", "list", "{}"), call(1, "d", "patch", "{}")}, "completed", []string{"function_call list{}"}},
		"cut text":               {"", []chat.Chunk{text("a"), end(chat.Length)}, "incomplete", []string{"message a"}},
		"cut call":               {"", []chat.Chunk{text("a"), call(0, "c", "list", "{}"), call(1, "d", "patch", `{"input":"*** `), end(chat.Length)}, "incomplete", []string{"message a", "function_call list{}"}},
		"thoughts and an answer": {"", []chat.Chunk{delta(chat.Delta{Reasoning: "hm"}), text("a"), end(chat.Stop)}, "completed", []string{"message a"}},
		"thoughts and a call":    {"", []chat.Chunk{delta(chat.Delta{Reasoning: "hm"}), call(0, "c", "list", "{}")}, "completed", []string{"function_call list{}"}},
		"thoughts alone":         {"", []chat.Chunk{delta(chat.Delta{Reasoning: "h"}), delta(chat.Delta{Reasoning: "m"}), end(chat.Stop)}, "completed", []string{"message hm"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			answer := toolRequest(t, tt.more).Answer("resp_7", created)
			events := stream(answer, tt.chunks...)
			checkGrammar(t, events)
			kind, response := last(t, events)
			assert.Equal(t, "response."+tt.status, kind)
			assert.Equal(t, response, whole(t, answer))
			assert.Equal(t, tt.status, response.Status)
			assert.Equal(t, tt.output, response.lines())
			if tt.status == incomplete {
				assert.Equal(t, &incompleteDetails{Reason: "max_output_tokens"}, response.IncompleteDetails)
			} else {
				assert.Nil(t, response.IncompleteDetails)
			}
		})
	}
}

func TestFailures(t *testing.T) {
	tooLong := &failure.Error{
		Status: 400, Type: failure.InvalidRequest, Code: failure.ContextLengthExceeded, Param: "input",
		Message: "too long", Prompt: 9, Limit: 8,
	}
	tests := map[string]struct {
		err           *failure.Error
		code, message string
	}{
		"prompt too long": {tooLong, "context_length_exceeded", "too long"},
		"invalid request": {&failure.Error{Type: failure.InvalidRequest, Code: "model_not_found", Message: "no model"}, "invalid_prompt", "no model"},
		"engine down":     {&failure.Error{Type: failure.Server, Code: "model_unavailable", Message: "down"}, "server_error", "down"},
		"busy":            {&failure.Error{Type: failure.RateLimit, Message: "busy", RetryAfter: 20 * time.Second}, "rate_limit_exceeded", "busy Please try again in 20s."},
		"busy for ever":   {&failure.Error{Type: failure.RateLimit, Message: "busy"}, "rate_limit_exceeded", "busy"},
	}
	before := map[string]func(*Answer) []byte{
		"at once":     func(*Answer) []byte { return nil },
		"begun":       (*Answer).Begin,
		"kept alive":  func(a *Answer) []byte { return append(a.Begin(), a.Alive()...) },
		"in the text": func(a *Answer) []byte { return append(a.Begin(), a.Add(text("par"))...) },
		"in a call": func(a *Answer) []byte {
			return append(a.Begin(), a.Add(call(0, "c", "patch", `{"input":"*** a"}`))...)
		},
	}
	for name, tt := range tests {
		for when, begin := range before {
			t.Run(name+" "+when, func(t *testing.T) {
				answer := toolRequest(t, "").Answer("resp_7", created)
				events := begin(answer)
				events = append(events, answer.Fail(tt.err)...)
				checkGrammar(t, events)
				assert.Nil(t, answer.Add(text("x")))
				assert.Nil(t, answer.End())
				assert.Nil(t, answer.Fail(tt.err))
				assert.Nil(t, answer.Alive())

				assert.NotContains(t, string(events), "response.output_item.done")
				kind, response := last(t, events)
				assert.Equal(t, "response.failed", kind)
				assert.Equal(t, failed, response.Status)
				assert.Equal(t, &responseError{Code: tt.code, Message: tt.message}, response.Error)
				assert.Empty(t, response.Output)
				assert.Equal(t, response, whole(t, answer))
			})
		}
	}
}

// checkGrammar fails unless the events are in the order that the API has them in: numbered, each
// item added, filled and done, and with one last event.
func checkGrammar(t testing.TB, events []byte) {
	t.Helper()
	open, done := map[int]string{}, 0
	all := payloads(t, events)
	hasFailed := false
	for i, data := range all {
		var e struct {
			Type           string
			SequenceNumber int    `json:"sequence_number"`
			OutputIndex    int    `json:"output_index"`
			ItemID         string `json:"item_id"`
			Item           struct{ ID string }
			Response       struct {
				ID     string
				Output []struct{ ID string }
			}
		}
		require.NoError(t, json.Unmarshal(data, &e))
		require.Equal(t, i, e.SequenceNumber)
		require.Equal(t, i == 0, e.Type == "response.created")
		isLast := false
		switch e.Type {
		case "response.created", "response.in_progress":
			require.Equal(t, "resp_7", e.Response.ID)
		case "error":
			require.Equal(t, len(all)-2, i)
			hasFailed = true
		case "response.output_item.added":
			require.Equal(t, len(open)+done, e.OutputIndex)
			open[e.OutputIndex] = e.Item.ID
		case "response.output_item.done":
			require.Equal(t, open[e.OutputIndex], e.Item.ID)
			delete(open, e.OutputIndex)
			done++
		case "response.completed", "response.incomplete":
			require.Empty(t, open)
			require.Len(t, e.Response.Output, done)
			isLast = true
		case "response.failed":
			require.True(t, hasFailed)
			isLast = true
		default:
			require.Equal(t, open[e.OutputIndex], e.ItemID, e.Type)
		}
		require.Equal(t, i == len(all)-1, isLast, "%s is event %d of %d", e.Type, i, len(all))
	}
}

// Whatever the engine sends, and whenever it stops, the events are well-formed.
func FuzzAdd(f *testing.F) {
	f.Add([]byte(`[{"choices":[{"delta":{"content":"a","tool_calls":[{"index":0,"id":"c","function":{"name":"patch","arguments":"{"}}]},"finish_reason":null}]},{"choices":[],"usage":{"prompt_tokens":1}}]`), byte(0))
	f.Add([]byte(`[{"choices":[{"delta":{"reasoning":"a"},"finish_reason":"length"}]}]`), byte(1))
	f.Add([]byte(`[{"choices":[{"delta":{"tool_calls":[{"function":{"name":"team__ask","arguments":""}},{"function":{"name":"list","arguments":"{}"}}]},"finish_reason":"tool_calls"}]}]`), byte(2))
	f.Add([]byte(`[]`), byte(7))
	f.Fuzz(func(t *testing.T, encoded []byte, how byte) {
		var chunks []chat.Chunk
		if json.Unmarshal(encoded, &chunks) != nil {
			return
		}
		answer := toolRequest(t, fmt.Sprintf(`,"parallel_tool_calls":%t`, how&1 == 0)).Answer("resp_7", created)
		var events []byte
		for _, chunk := range chunks {
			events = append(events, answer.Add(chunk)...)
			if how&2 != 0 {
				events = append(events, answer.Alive()...)
			}
		}
		if how&4 != 0 {
			events = append(events, answer.Fail(&failure.Error{Type: failure.Server, Message: "x"})...)
		}
		events = append(events, answer.End()...)
		checkGrammar(t, events)
		_, response := last(t, events)
		require.Equal(t, response, whole(t, answer))
	})
}
