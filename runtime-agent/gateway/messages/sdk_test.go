package messages

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/anthropics/anthropic-sdk-go/v2"
	"github.com/anthropics/anthropic-sdk-go/v2/option"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/chat"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/failure"
)

// serve answers the requests of Anthropic's SDK with what an engine has streamed, or with an
// error. The requests go to decoded.
func serve(t *testing.T, chunks []chat.Chunk, refusal *failure.Error) (client anthropic.Client, decoded chan *Request) {
	t.Helper()
	decoded = make(chan *Request, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		assert.NoError(t, err)
		request, refused := Decode(body)
		if refused == nil {
			refused = refusal
		}
		if refused != nil {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(refused.Status)
			w.Write(ErrorBody(refused))
			return
		}
		decoded <- request
		answer := request.Answer("msg_1", time.Now())
		var events []byte
		for _, chunk := range chunks {
			events = append(events, answer.Add(chunk)...)
		}
		events = append(events, answer.End()...)
		if request.Stream {
			w.Header().Set("Content-Type", "text/event-stream")
			w.Write(events)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Write(answer.Whole())
	}))
	t.Cleanup(server.Close)
	return anthropic.NewClient(option.WithBaseURL(server.URL), option.WithAPIKey("key"), option.WithMaxRetries(0)), decoded
}

func askForFiles() anthropic.MessageNewParams {
	return anthropic.MessageNewParams{
		Model:     "m",
		MaxTokens: 1000,
		System:    []anthropic.TextBlockParam{{Text: "Be brief"}},
		Messages:  []anthropic.MessageParam{anthropic.NewUserMessage(anthropic.NewTextBlock("Which files are here?"))},
		Tools: []anthropic.ToolUnionParam{{OfTool: &anthropic.ToolParam{
			Name:        "Bash",
			InputSchema: anthropic.ToolInputSchemaParam{Properties: map[string]any{"command": map[string]any{"type": "string"}}},
		}}},
	}
}

// A conversation of two turns: what the SDK makes of an answer comes back in its next request as
// the engine has written it.
func TestConversationThroughTheSDK(t *testing.T) {
	chunks := parseChunks(t, answers["call-in-pieces"].chunks...)
	client, decoded := serve(t, chunks, nil)
	asked := askForFiles()

	stream := client.Messages.NewStreaming(context.Background(), asked)
	var streamed anthropic.Message
	for stream.Next() {
		require.NoError(t, streamed.Accumulate(stream.Current()))
	}
	require.NoError(t, stream.Err())
	assert.True(t, (<-decoded).Stream)

	asked.Messages = append(asked.Messages, streamed.ToParam(),
		anthropic.NewUserMessage(anthropic.NewToolResultBlock("call_1", "go.mod", false)))
	whole, err := client.Messages.New(context.Background(), asked)
	require.NoError(t, err)
	assert.Equal(t, anthropic.StopReasonToolUse, whole.StopReason)
	request := <-decoded
	assert.False(t, request.Stream)
	assert.JSONEq(t, `[{"role":"system","content":"Be brief"},{"role":"user","content":"Which files are here?"},
		{"role":"assistant","content":"Let me look","tool_calls":[
			{"id":"call_1","type":"function","function":{"name":"Bash","arguments":"{\"command\":\"ls\"}"}}]},
		{"role":"tool","tool_call_id":"call_1","content":"go.mod"}]`, indented(t, request.Chat.Messages))
}

func TestErrorsThroughTheSDK(t *testing.T) {
	for want, refusal := range map[string]*failure.Error{
		"overloaded_error": {Status: http.StatusServiceUnavailable, Message: "The model is restarting."},
		"rate_limit_error": {Status: http.StatusTooManyRequests, Message: "32 requests wait."},
		"invalid_request_error": {
			Status: http.StatusBadRequest, Code: failure.ContextLengthExceeded, Prompt: 70000, Limit: 65536,
		},
	} {
		client, _ := serve(t, nil, refusal)
		_, err := client.Messages.New(context.Background(), askForFiles())
		var told *anthropic.Error
		require.True(t, errors.As(err, &told), "%v", err)
		assert.Equal(t, want, string(told.Type()))
		assert.Equal(t, refusal.Status, told.StatusCode)
	}
}
