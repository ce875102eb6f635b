// Package sdk has OpenAI's own library decode what the translator writes: the golden files of
// package responses. It stands apart because the library takes minutes to compile for fuzzing.
package sdk

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/openai/openai-go/v3/packages/ssestream"
	"github.com/openai/openai-go/v3/responses"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/sse"
)

func golden(t *testing.T, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("..", "testdata", name))
	require.NoError(t, err)
	return content
}

// read returns the events as the library's streams give them to a program, and the error that
// they end in.
func read(t *testing.T, name string) ([]responses.ResponseStreamEventUnion, error) {
	t.Helper()
	decoder := ssestream.NewDecoder(&http.Response{
		Header: http.Header{"Content-Type": {"text/event-stream"}},
		Body:   io.NopCloser(bytes.NewReader(golden(t, name+".golden.sse"))),
	})
	var events []responses.ResponseStreamEventUnion
	stream := ssestream.NewStream[responses.ResponseStreamEventUnion](decoder, nil)
	for stream.Next() {
		event := stream.Current()
		require.NotNil(t, event.AsAny(), "the library does not know %s", event.Type)
		events = append(events, event)
	}
	return events, stream.Err()
}

// accumulate feeds the events to the library's accumulator. The last response comes without its
// output, so that what is returned was put together from the events alone.
func accumulate(t *testing.T, name string) (*responses.Response, responses.ResponseAccumulatorSnapshot) {
	t.Helper()
	var accumulator responses.ResponseAccumulator
	var beforeEnd responses.ResponseAccumulatorSnapshot
	for _, data := range payloads(t, name) {
		var fields map[string]any
		require.NoError(t, json.Unmarshal(data, &fields))
		if kind := fields["type"]; kind == "response.completed" || kind == "response.incomplete" {
			beforeEnd = accumulator.Snapshot()
			delete(fields["response"].(map[string]any), "output")
		}
		bare, err := json.Marshal(fields)
		require.NoError(t, err)
		var event responses.ResponsesServerEventUnion
		require.NoError(t, json.Unmarshal(bare, &event))
		require.NoError(t, accumulator.AddEvent(event))
	}
	response, err := accumulator.ReconstructedResponse()
	require.NoError(t, err)
	return response, beforeEnd
}

func payloads(t *testing.T, name string) [][]byte {
	t.Helper()
	var all [][]byte
	for reader := sse.NewReader(bytes.NewReader(golden(t, name+".golden.sse"))); ; {
		event, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return all
		}
		require.NoError(t, err)
		all = append(all, event.Data)
	}
}

func TestWholeAnswers(t *testing.T) {
	tests := map[string]struct {
		last   string
		status responses.ResponseStatus
		text   string
		items  []string
		tokens int64
	}{
		"text":    {"response.completed", "completed", "Hello <b>", []string{"message"}, 107},
		"calls":   {"response.completed", "completed", "I call them", []string{"message", "function_call", "custom_tool_call", "function_call", "custom_tool_call"}, 107},
		"cut":     {"response.incomplete", "incomplete", "I call", []string{"message"}, 107},
		"nothing": {"response.completed", "completed", "", nil, 0},
		"alive":   {"response.completed", "completed", "Hello", []string{"message", "function_call"}, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			events, err := read(t, name)
			require.NoError(t, err)
			assert.Len(t, events, len(payloads(t, name)))
			last := events[len(events)-1]
			assert.Equal(t, tt.last, last.Type)
			accumulated, beforeEnd := accumulate(t, name)
			assert.Equal(t, tt.text, beforeEnd.OutputText())

			var whole responses.Response
			require.NoError(t, json.Unmarshal(golden(t, name+".golden.json"), &whole))
			for _, response := range []*responses.Response{&last.Response, accumulated, &whole} {
				assert.Equal(t, "resp_7", response.ID)
				assert.Equal(t, "m", response.Model)
				assert.Equal(t, float64(1700000000), response.CreatedAt)
				assert.Equal(t, tt.status, response.Status)
				assert.Equal(t, tt.text, response.OutputText())
				assert.Equal(t, tt.tokens, response.Usage.TotalTokens)
				assert.Equal(t, responses.ToolChoiceOptionsAuto, response.ToolChoice.AsToolChoiceMode())
				var items []string
				for _, item := range response.Output {
					require.NotNil(t, item.AsAny(), item.Type)
					items = append(items, item.Type)
				}
				assert.Equal(t, tt.items, items)
			}
		})
	}
}

func TestUsage(t *testing.T) {
	response, _ := accumulate(t, "text")
	assert.Equal(t, int64(100), response.Usage.InputTokens)
	assert.Equal(t, int64(90), response.Usage.InputTokensDetails.CachedTokens)
	assert.Equal(t, int64(7), response.Usage.OutputTokens)
	assert.True(t, response.Usage.OutputTokensDetails.JSON.ReasoningTokens.Valid())
	assert.Equal(t, int64(9), response.MaxOutputTokens)
	assert.Equal(t, 0.5, response.Temperature)
}

func TestCalls(t *testing.T) {
	response, _ := accumulate(t, "calls")
	require.Len(t, response.Output, 5)
	function := func(index int) []string {
		c := response.Output[index].AsFunctionCall()
		return []string{c.ID, c.CallID, c.Namespace, c.Name, c.Arguments}
	}
	custom := func(index int) []string {
		c := response.Output[index].AsCustomToolCall()
		return []string{c.ID, c.CallID, c.Namespace, c.Name, c.Input}
	}
	assert.Equal(t, []string{"fc_7_0", "c0", "", "list", `{"d": "x"}`}, function(1))
	assert.Equal(t, []string{"ctc_7_1", "c1", "", "patch", "*** a\n"}, custom(2))
	assert.Equal(t, []string{"fc_7_2", "c2", "team", "ask", "{}"}, function(3))
	assert.Equal(t, []string{"ctc_7_3", "call_7_3", "team", "tell", "b"}, custom(4))
}

func TestCutAnswerSaysWhy(t *testing.T) {
	response, _ := accumulate(t, "cut")
	assert.Equal(t, "max_output_tokens", response.IncompleteDetails.Reason)
}

// A program that reads the stream gets an error, and the last event says the same to one that
// reads on.
func TestFailures(t *testing.T) {
	tests := map[string]struct{ code, param, message, lastCode string }{
		"failed":   {"engine_failed", "", "The engine broke off.", "server_error"},
		"too-long": {"context_length_exceeded", "input", "The prompt is too long.", "context_length_exceeded"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := read(t, name)
			require.ErrorContains(t, err, tt.message)
			require.ErrorContains(t, err, tt.code)

			all := payloads(t, name)
			var raised, last responses.ResponseStreamEventUnion
			require.NoError(t, json.Unmarshal(all[len(all)-2], &raised))
			assert.Equal(t, []string{tt.code, tt.param, tt.message}, []string{raised.AsError().Code, raised.AsError().Param, raised.AsError().Message})
			require.NoError(t, json.Unmarshal(all[len(all)-1], &last))
			assert.Equal(t, responses.ResponseStatusFailed, last.AsResponseFailed().Response.Status)
			assert.Equal(t, tt.lastCode, string(last.AsResponseFailed().Response.Error.Code))
			assert.Equal(t, tt.message, last.AsResponseFailed().Response.Error.Message)
		})
	}
}
