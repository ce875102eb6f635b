// Package sdk_test has Anthropic's SDK for Go send requests to package messages and read its
// answers. It has a folder of its own since the SDK takes minutes and 3 GB to compile, which the
// other tests and fuzzing need not wait for.
package sdk_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/anthropics/anthropic-sdk-go/v2"
	"github.com/anthropics/anthropic-sdk-go/v2/option"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/chat"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/failure"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/messages"
)

const testdata = "../testdata/"

// readScript reads a request, the first line, and what an engine streams, a chunk a line.
func readScript(t *testing.T, name string) (request string, chunks []chat.Chunk) {
	t.Helper()
	text, err := os.ReadFile(testdata + name + ".script")
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	chunks = make([]chat.Chunk, len(lines)-1)
	for i := range chunks {
		require.NoError(t, json.Unmarshal([]byte(lines[i+1]), &chunks[i]), name)
	}
	return lines[0], chunks
}

// send sends a request written in JSON.
func send(t *testing.T, client anthropic.Client, body string) anthropic.Message {
	t.Helper()
	var asked anthropic.MessageNewParams
	require.NoError(t, json.Unmarshal([]byte(body), &asked))
	message, err := client.Messages.New(context.Background(), asked)
	require.NoError(t, err)
	return *message
}

// stream sends a request written in JSON and puts the stream together.
func stream(t *testing.T, client anthropic.Client, body string) (anthropic.Message, error) {
	t.Helper()
	var asked anthropic.MessageNewParams
	require.NoError(t, json.Unmarshal([]byte(body), &asked))
	events := client.Messages.NewStreaming(context.Background(), asked)
	var message anthropic.Message
	for events.Next() {
		require.NoError(t, message.Accumulate(events.Current()))
	}
	return message, events.Err()
}

func TestAnswers(t *testing.T) {
	paths, err := filepath.Glob(testdata + "*.script")
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), ".script")
		t.Run(name, func(t *testing.T) {
			want, err := os.ReadFile(testdata + name + ".answer.json")
			require.NoError(t, err)
			request, chunks := readScript(t, name)
			client, _ := serve(t, chunks, nil)
			streamed, err := stream(t, client, request)
			require.NoError(t, err)
			assert.JSONEq(t, string(want), understood(t, streamed))
			assert.JSONEq(t, string(want), understood(t, send(t, client, request)))
		})
	}
}

// understood returns what the SDK has read of a message.
func understood(t *testing.T, message anthropic.Message) string {
	t.Helper()
	content := []map[string]any{}
	for _, block := range message.Content {
		switch block := block.AsAny().(type) {
		case anthropic.TextBlock:
			content = append(content, map[string]any{"type": block.Type, "text": block.Text})
		case anthropic.ToolUseBlock:
			content = append(content, map[string]any{"type": block.Type, "id": block.ID, "name": block.Name, "input": block.Input})
		default:
			t.Fatalf("a block of the type %T", block)
		}
	}
	encoded, err := json.Marshal(map[string]any{
		"id": message.ID, "type": message.Type, "role": message.Role, "model": message.Model, "content": content,
		"stop_reason": message.StopReason, "stop_sequence": nil,
		"usage": map[string]any{
			"input_tokens":                message.Usage.InputTokens,
			"cache_creation_input_tokens": message.Usage.CacheCreationInputTokens,
			"cache_read_input_tokens":     message.Usage.CacheReadInputTokens,
			"output_tokens":               message.Usage.OutputTokens,
		},
	})
	require.NoError(t, err)
	return string(encoded)
}

// serve answers the requests of Anthropic's SDK with what an engine has streamed, or with an
// error. The requests go to decoded.
func serve(t *testing.T, chunks []chat.Chunk, refusal *failure.Error) (client anthropic.Client, decoded chan *messages.Request) {
	t.Helper()
	decoded = make(chan *messages.Request, 2)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		assert.NoError(t, err)
		request, refused := messages.Decode(body)
		if refused == nil {
			refused = refusal
		}
		if refused != nil {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(refused.Status)
			write(t, w, messages.ErrorBody(refused))
			return
		}
		decoded <- request
		answer := request.Answer("msg_1", time.Now())
		events := append(answer.Begin(), answer.Alive()...)
		for _, chunk := range chunks {
			events = append(events, answer.Add(chunk)...)
		}
		events = append(events, answer.End()...)
		if request.Stream {
			w.Header().Set("Content-Type", "text/event-stream")
			write(t, w, events)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		write(t, w, answer.Whole())
	}))
	t.Cleanup(server.Close)
	return anthropic.NewClient(option.WithBaseURL(server.URL), option.WithAPIKey("key"), option.WithMaxRetries(0)), decoded
}

func write(t *testing.T, w io.Writer, data []byte) {
	_, err := w.Write(data)
	assert.NoError(t, err)
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
	_, chunks := readScript(t, "call-in-pieces")
	client, decoded := serve(t, chunks, nil)
	asked := askForFiles()

	encoded, err := json.Marshal(asked)
	require.NoError(t, err)
	streamed, err := stream(t, client, string(encoded))
	require.NoError(t, err)
	assert.True(t, (<-decoded).Stream)

	asked.Messages = append(asked.Messages, streamed.ToParam(),
		anthropic.NewUserMessage(anthropic.NewToolResultBlock("call_1", "go.mod", false)))
	whole, err := client.Messages.New(context.Background(), asked)
	require.NoError(t, err)
	assert.Equal(t, anthropic.StopReasonToolUse, whole.StopReason)
	request := <-decoded
	history, err := json.Marshal(request.Chat.Messages)
	require.NoError(t, err)
	assert.False(t, request.Stream)
	assert.JSONEq(t, `[{"role":"system","content":"Be brief"},{"role":"user","content":"Which files are here?"},
		{"role":"assistant","content":"Let me look","tool_calls":[
			{"id":"call_1","type":"function","function":{"name":"Bash","arguments":"{\"command\":\"ls\"}"}}]},
		{"role":"tool","tool_call_id":"call_1","content":"go.mod"}]`, string(history))
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
		require.ErrorAs(t, err, &told)
		assert.Equal(t, want, string(told.Type()))
		assert.Equal(t, refusal.Status, told.StatusCode)
	}
}

// A stream that fails tells its error, before its first event and after some text.
func TestFailingStreams(t *testing.T) {
	_, chunks := readScript(t, "call-in-pieces")
	for sent := range chunks {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			assert.NoError(t, err)
			request, refused := messages.Decode(body)
			if !assert.Nil(t, refused) {
				return
			}
			answer := request.Answer("msg_1", time.Now())
			w.Header().Set("Content-Type", "text/event-stream")
			for _, chunk := range chunks[:sent] {
				write(t, w, answer.Add(chunk))
			}
			write(t, w, answer.Fail(&failure.Error{Status: http.StatusServiceUnavailable, Message: "The model is restarting."}))
		}))
		encoded, err := json.Marshal(askForFiles())
		require.NoError(t, err)
		client := anthropic.NewClient(option.WithBaseURL(server.URL), option.WithAPIKey("key"), option.WithMaxRetries(0))
		message, err := stream(t, client, string(encoded))
		server.Close()
		var told *anthropic.Error
		require.ErrorAs(t, err, &told)
		assert.Equal(t, "overloaded_error", string(told.Type()))
		assert.Empty(t, message.StopReason)
		for _, block := range message.Content {
			assert.Equal(t, "text", block.Type, "a call that a client could run")
		}
	}
}

func TestCountTokens(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		assert.NoError(t, err)
		_, refused := messages.Decode(body)
		assert.Nil(t, refused)
		w.Header().Set("Content-Type", "application/json")
		write(t, w, messages.Count(12400))
	}))
	defer server.Close()
	client := anthropic.NewClient(option.WithBaseURL(server.URL), option.WithAPIKey("key"), option.WithMaxRetries(0))
	count, err := client.Messages.CountTokens(context.Background(), anthropic.MessageCountTokensParams{
		Model: "m", Messages: askForFiles().Messages,
	})
	require.NoError(t, err)
	assert.Equal(t, int64(12400), count.InputTokens)
}
