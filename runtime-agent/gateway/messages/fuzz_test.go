package messages

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/chat"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/failure"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/sse"
)

// FuzzDecode checks that what is accepted can be sent to the engine, and that a refusal says why.
func FuzzDecode(f *testing.F) {
	for _, c := range histories {
		f.Add([]byte(c.body))
	}
	f.Add([]byte(`{` + found + `,"tools":[` + fetch + `,` + drop + `,` + finder + `],"tool_choice":{"type":"tool","name":"Drop"}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		request, refused := Decode(body)
		if refused != nil {
			assert.Nil(t, request)
			assert.Equal(t, http.StatusBadRequest, refused.Status)
			assert.NotEmpty(t, refused.Message)
			assert.True(t, json.Valid(ErrorBody(refused)))
			return
		}
		encoded, err := json.Marshal(request.Chat)
		require.NoError(t, err)
		assert.True(t, request.Chat.Stream)
		assert.NotEmpty(t, request.Chat.Messages)
		for _, m := range request.Chat.Messages {
			assert.Contains(t, []string{chat.System, chat.User, chat.Assistant, chat.Tool}, m.Role)
			assert.True(t, m.Content != nil || len(m.ToolCalls) > 0)
			assert.Equal(t, m.Role == chat.Tool, m.ToolCallID != "")
			for _, call := range m.ToolCalls {
				assert.True(t, json.Valid([]byte(call.Function.Arguments)))
			}
		}
		again, refused := Decode(body)
		require.Nil(t, refused)
		encodedAgain, err := json.Marshal(again.Chat)
		require.NoError(t, err)
		assert.Equal(t, string(encoded), string(encodedAgain))
	})
}

// FuzzAdd checks the order of events for any chunks, that the stream and the whole answer say the
// same, and that a stream that fails never looks whole. Each line of the input is a chunk; failAt
// is the number of lines after which it fails.
func FuzzAdd(f *testing.F) {
	for _, path := range scripts(f) {
		text, err := os.ReadFile(path)
		require.NoError(f, err)
		_, lines, _ := strings.Cut(string(text), "\n")
		f.Add(lines, false, 2)
		f.Add(lines, true, 0)
	}
	f.Fuzz(func(t *testing.T, lines string, oneCall bool, failAt int) {
		request := &Request{Chat: chat.Request{Model: "m"}, oneCall: oneCall}
		answer, failing := request.Answer("msg_1", time.Time{}), request.Answer("msg_2", time.Time{})
		var events, failed []byte
		for i, line := range strings.Split(lines, "\n") {
			var chunk chat.Chunk
			if json.Unmarshal([]byte(line), &chunk) != nil {
				continue
			}
			events = append(events, answer.Add(chunk)...)
			if i < failAt {
				failed = append(failed, failing.Add(chunk)...)
			}
		}
		events = append(events, answer.End()...)
		checkOrder(t, events)
		var whole messageObject
		require.NoError(t, json.Unmarshal(answer.Whole(), &whole))
		assert.Equal(t, indented(t, whole), indented(t, collect(t, events)))

		failed = append(failed, failing.Fail(&failure.Error{Status: http.StatusInternalServerError, Message: "x"})...)
		types := eventTypes(t, failed)
		assert.Equal(t, "error", types[len(types)-1])
		assert.NotContains(t, types, "content_block_stop")
		assert.NotContains(t, types, "message_stop")
	})
}

// checkOrder checks the grammar of a whole stream: message_start, then blocks one after another,
// each started, filled and stopped, then message_delta and message_stop.
func checkOrder(t *testing.T, events []byte) {
	t.Helper()
	const between, inBlock, stopping, stopped = "between", "in block", "stopping", "stopped"
	state, next := "", 0
	for _, e := range parseEvents(t, events) {
		if e.Type == "ping" {
			continue // allowed anywhere
		}
		step := state + "/" + e.Type
		switch step {
		case "/message_start":
			state = between
		case between + "/content_block_start":
			state = inBlock
			assert.Equal(t, next, e.Index)
		case inBlock + "/content_block_delta":
			assert.Equal(t, next, e.Index)
		case inBlock + "/content_block_stop":
			state = between
			assert.Equal(t, next, e.Index)
			next++
		case between + "/message_delta":
			state = stopping
		case stopping + "/message_stop":
			state = stopped
		default:
			t.Fatalf("%s is out of order", step)
		}
	}
	assert.Equal(t, stopped, state)
}

// collect puts a message together from its stream.
func collect(t *testing.T, stream []byte) messageObject {
	t.Helper()
	var message messageObject
	for _, e := range parseEvents(t, stream) {
		switch e.Type {
		case "message_start":
			message = e.Message
		case "content_block_start":
			message.Content = append(message.Content, e.Block)
		case "content_block_delta":
			block := &message.Content[e.Index]
			switch e.Delta.Type {
			case "text_delta":
				text := *block.Text + e.Delta.Text
				block.Text = &text
			case "input_json_delta":
				block.Input = json.RawMessage(e.Delta.PartialJSON)
			}
		case "message_delta":
			message.StopReason = &e.Delta.StopReason
			message.Usage = e.Usage
		}
	}
	return message
}

// event has the fields of all events.
type event struct {
	Type    string        `json:"type"`
	Index   int           `json:"index"`
	Message messageObject `json:"message"`
	Block   contentBlock  `json:"content_block"`
	Usage   usage         `json:"usage"`
	Delta   struct {
		Type        string `json:"type"`
		Text        string `json:"text"`
		PartialJSON string `json:"partial_json"`
		StopReason  string `json:"stop_reason"`
	} `json:"delta"`
}

func parseEvents(t *testing.T, stream []byte) []event {
	t.Helper()
	var events []event
	for reader := sse.NewReader(bytes.NewReader(stream)); ; {
		raw, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return events
		}
		require.NoError(t, err)
		var e event
		require.NoError(t, json.Unmarshal(raw.Data, &e))
		assert.True(t, bytes.HasPrefix(raw.Raw, []byte("event: "+e.Type+"\n")), "name and type differ")
		events = append(events, e)
	}
}

func eventTypes(t *testing.T, stream []byte) []string {
	t.Helper()
	var types []string
	for _, e := range parseEvents(t, stream) {
		types = append(types, e.Type)
	}
	return types
}
