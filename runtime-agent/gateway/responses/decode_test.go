package responses

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/goldentest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/chat"
)

// recorded returns a request that Codex 0.169.0 sent, its texts replaced by letters.
func recorded(t testing.TB, number string) []byte {
	t.Helper()
	file, err := os.Open(filepath.Join("testdata", "codex-"+number+".json.gz"))
	require.NoError(t, err)
	defer file.Close()
	unpacked, err := gzip.NewReader(file)
	require.NoError(t, err)
	body, err := io.ReadAll(unpacked)
	require.NoError(t, err)
	return body
}

func decode(t testing.TB, body string) *Request {
	t.Helper()
	request, wrong := Decode([]byte(body))
	require.Nil(t, wrong)
	return request
}

// withItems is a request with the given items.
func withItems(items ...string) string {
	return `{"model":"m","input":[` + strings.Join(items, ",") + `]}`
}

const user = `{"role":"user","content":"hi"}`

// messages writes a chat as lines that are easy to compare.
func messages(request *Request) []string {
	var lines []string
	for _, m := range request.Chat.Messages {
		line := m.Role
		if m.ToolCallID != "" {
			line += " " + m.ToolCallID
		}
		if m.Content != nil {
			line += ": " + *m.Content
		}
		for _, call := range m.ToolCalls {
			line += fmt.Sprintf(" [%s %s %s]", call.ID, call.Function.Name, call.Function.Arguments)
		}
		lines = append(lines, line)
	}
	return lines
}

// shorten replaces long texts by their beginning and length.
func shorten(value any) any {
	switch v := value.(type) {
	case string:
		if len(v) > 40 {
			return fmt.Sprintf("%.12s... %d", v, len(v))
		}
	case []any:
		for i := range v {
			v[i] = shorten(v[i])
		}
	case map[string]any:
		for key := range v {
			v[key] = shorten(v[key])
		}
	}
	return value
}

func TestRecordedRequestsAreGolden(t *testing.T) {
	for _, number := range []string{"001", "003", "009"} {
		request, wrong := Decode(recorded(t, number))
		require.Nil(t, wrong)
		assert.True(t, request.Stream)
		encoded, err := json.Marshal(request.Chat)
		require.NoError(t, err)
		var whole any
		require.NoError(t, json.Unmarshal(encoded, &whole))
		short, err := json.MarshalIndent(shorten(whole), "", "  ")
		require.NoError(t, err)
		goldentest.Equal(t, filepath.Join("testdata", "codex-"+number+".golden.json"), append(short, '\n'))
	}
}

// The engine finds in its cache what an earlier prompt began with.
func TestEachRequestRepeatsTheOneBefore(t *testing.T) {
	var before *Request
	for _, number := range []string{"001", "003", "009"} {
		request, wrong := Decode(recorded(t, number))
		require.Nil(t, wrong)
		if before != nil {
			assert.Equal(t, before.Chat.Tools, request.Chat.Tools)
			require.Greater(t, len(request.Chat.Messages), len(before.Chat.Messages))
			assert.Equal(t, before.Chat.Messages, request.Chat.Messages[:len(before.Chat.Messages)])
		}
		before = request
	}
}

func TestHistory(t *testing.T) {
	tests := map[string]struct {
		body string
		want []string
	}{
		"a text": {`{"input":"hi"}`, []string{"user: hi"}},
		"instructions first": {
			`{"instructions":"be short","input":[{"type":"message","role":"developer","content":"d"},` + user + `]}`,
			[]string{"system: be short", "developer: d", "user: hi"},
		},
		"roles stay where they are": {
			withItems(user, `{"role":"assistant","content":"a"}`, `{"role":"system","content":"s"}`, `{"role":"developer","content":"d"}`),
			[]string{"user: hi", "assistant: a", "system: s", "developer: d"},
		},
		"parts": {
			withItems(`{"role":"user","content":[{"type":"input_text","text":"a"},{"type":"input_text","text":""},{"type":"input_text","text":"b"}]}`),
			[]string{"user: a\n\nb"},
		},
		"empty contents": {
			withItems(`{"role":"user"}`, `{"role":"user","content":null}`, `{"role":"user","content":[]}`, `{"role":"assistant","content":[]}`),
			[]string{"user: ", "user: ", "user: ", "assistant: "},
		},
		"what the model refused": {
			withItems(user, `{"role":"assistant","content":[{"type":"refusal","refusal":"no"}]}`),
			[]string{"user: hi", "assistant: no"},
		},
		"text and calls of one answer": {
			withItems(user,
				`{"type":"reasoning","summary":[],"encrypted_content":"SECRET"}`,
				`{"type":"message","role":"assistant","content":[{"type":"output_text","text":"I look","annotations":[]}]}`,
				`{"type":"reasoning","summary":[{"type":"summary_text","text":"SECRET"}]}`,
				`{"type":"function_call","call_id":"c1","name":"ls","arguments":"{\"d\": 1}"}`,
				`{"type":"function_call","call_id":"c2","name":"ls","arguments":""}`,
				`{"type":"function_call_output","call_id":"c1","output":"one"}`,
				`{"type":"function_call_output","call_id":"c2","output":[{"type":"input_text","text":"two"},{"type":"input_text","text":"three"}]}`,
				`{"type":"message","role":"assistant","content":"done"}`),
			[]string{"user: hi", `assistant: I look [c1 ls {"d": 1}] [c2 ls {}]`, "tool c1: one", "tool c2: two\n\nthree", "assistant: done"},
		},
		"text after a call": {
			withItems(user,
				`{"role":"assistant","content":"a"}`,
				`{"type":"function_call","call_id":"c1","name":"ls","arguments":"{}"}`,
				`{"role":"assistant","content":"b"}`,
				`{"type":"function_call_output","call_id":"c1","output":""}`),
			[]string{"user: hi", "assistant: a\n\nb [c1 ls {}]", "tool c1: "},
		},
		"calls alone": {
			withItems(user, `{"type":"function_call","call_id":"c1","name":"ls","arguments":"{}"}`),
			[]string{"user: hi", "assistant [c1 ls {}]"},
		},
		"what a vendor's servers did": {
			withItems(user, `{"type":"web_search_call","id":"w","status":"completed","action":{"type":"search","query":"q"}}`, `{"role":"assistant","content":"a"}`),
			[]string{"user: hi", "assistant: a"},
		},
		"a custom tool": {
			withItems(user,
				`{"type":"custom_tool_call","call_id":"c1","name":"apply_patch","input":"*** <a> & \"b\"\n"}`,
				`{"type":"custom_tool_call_output","call_id":"c1","output":"ok"}`),
			[]string{"user: hi", `assistant [c1 apply_patch {"input":"*** <a> & \"b\"\n"}]`, "tool c1: ok"},
		},
		"a namespace": {
			withItems(user, `{"type":"function_call","call_id":"c1","namespace":"mcp__git__","name":"log","arguments":"{}"}`),
			[]string{"user: hi", "assistant [c1 mcp__git__log {}]"},
		},
		"an image that a tool made": {
			withItems(user,
				`{"type":"function_call","call_id":"c1","name":"view_image","arguments":"{}"}`,
				`{"type":"function_call_output","call_id":"c1","output":[{"type":"input_image","image_url":"data:SECRET"}]}`),
			[]string{"user: hi", "assistant [c1 view_image {}]", "tool c1: (an image, which this model cannot see)"},
		},
		"a message between agents": {
			withItems(`{"type":"agent_message","author":"a","recipient":"b","content":[{"type":"input_text","text":"done"}]}`),
			[]string{"user: done"},
		},
		"what only a vendor understands": {
			`{"input":[` + user + `],"store":true,"include":["SECRET"],"prompt_cache_key":"SECRET","client_metadata":{"a":"SECRET"},` +
				`"metadata":{"a":1},"reasoning":{"effort":"high"},"truncation":"auto","service_tier":"flex","user":7}`,
			[]string{"user: hi"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			request := decode(t, tt.body)
			assert.Equal(t, tt.want, messages(request))
			encoded, err := json.Marshal(request.Chat)
			require.NoError(t, err)
			assert.NotContains(t, string(encoded), "SECRET")
			assert.NotContains(t, string(encoded), `"content":null,"tool_call_id"`)
		})
	}
}

func TestAnswerOfCallsAloneHasNoContent(t *testing.T) {
	request := decode(t, withItems(user, `{"type":"function_call","call_id":"c1","name":"ls","arguments":"{}"}`))
	assert.Nil(t, request.Chat.Messages[1].Content)
}

// A client that changes between a text and a list of one part must not have the engine read
// everything again.
func TestTextAndPartsAreTheSame(t *testing.T) {
	text := decode(t, withItems(user, `{"type":"function_call_output","call_id":"c","output":"a"}`))
	parts := decode(t, withItems(
		`{"id":"m1","type":"message","status":"completed","role":"user","content":[{"type":"input_text","text":"hi"}]}`,
		`{"id":"o1","type":"function_call_output","call_id":"c","output":[{"type":"input_text","text":"a"}]}`))
	assert.Equal(t, text.Chat, parts.Chat)
}

func TestParameters(t *testing.T) {
	request := decode(t, `{"model":"m","input":"hi","max_output_tokens":7,"temperature":0,"top_p":0.5,"stream":true,
		"text":{"format":{"type":"json_schema","name":"n","strict":true,"schema":{"type":"object"}}}}`)
	encoded, err := json.Marshal(request.Chat)
	require.NoError(t, err)
	assert.JSONEq(t, `{"model":"m","messages":[{"role":"user","content":"hi"}],"max_tokens":7,"temperature":0,"top_p":0.5,
		"response_format":{"type":"json_schema","json_schema":{"name":"n","strict":true,"schema":{"type":"object"}}},
		"stream":true,"stream_options":{"include_usage":true}}`, string(encoded))
	assert.True(t, request.Stream)

	request = decode(t, `{"input":"hi","text":{"format":{"type":"json_object"}}}`)
	assert.JSONEq(t, `{"type":"json_object"}`, string(request.Chat.ResponseFormat))
	assert.False(t, request.Stream)
	assert.True(t, request.Chat.Stream, "the engine streams always")
	assert.Equal(t, &chat.StreamOptions{IncludeUsage: true}, request.Chat.StreamOptions)

	request = decode(t, `{"input":"hi","text":{"format":{"type":"text"},"verbosity":"low"}}`)
	assert.Nil(t, request.Chat.ResponseFormat)
}

func TestRefused(t *testing.T) {
	tests := map[string]struct {
		body, param, message string
	}{
		"no JSON":               {`{`, "", "cannot be decoded"},
		"no object":             {`[]`, "", "JSON array"},
		"no input":              {`{}`, "input", "missing"},
		"null":                  {`null`, "input", "missing"},
		"empty input":           {`{"input":[]}`, "input", "no message"},
		"a number":              {`{"input":5}`, "input", "JSON number"},
		"a wrong field":         {`{"input":"hi","stream":"yes"}`, "stream", "JSON string"},
		"a wrong item":          {withItems(user, `7`), "input[1]", "JSON number"},
		"a wrong content":       {withItems(user, `{"role":"user","content":7}`), "input[1].content", "JSON number"},
		"a wrong call":          {withItems(user, `{"type":"function_call","call_id":7}`), "input[1].call_id", "JSON number"},
		"a stored response":     {`{"input":"hi","previous_response_id":"resp_1"}`, "previous_response_id", "send the whole history"},
		"a conversation":        {`{"input":"hi","conversation":{"id":"c"}}`, "conversation", "send the whole history"},
		"a stored prompt":       {`{"prompt":{"id":"p"}}`, "prompt", "stores no prompts"},
		"in the background":     {`{"input":"hi","background":true}`, "background", "stores no responses"},
		"a reference":           {withItems(user, `{"type":"item_reference","id":"x"}`), "input[1]", "send the item itself"},
		"an item of the vendor": {withItems(user, `{"type":"local_shell_call","call_id":"c"}`), "input[1].type", `"local_shell_call"`},
		"an image": {
			withItems(`{"role":"user","content":[{"type":"input_text","text":"see"},{"type":"input_image","image_url":"data:"}]}`),
			"input[0].content[1]", "Images are not supported",
		},
		"a file":             {withItems(`{"role":"user","content":[{"type":"input_file"}]}`), "input[0].content[0].type", `"input_file"`},
		"a file of a tool":   {withItems(user, `{"type":"function_call_output","call_id":"c","output":[{"type":"input_file"}]}`), "input[1].output[0].type", `"input_file"`},
		"a role":             {withItems(`{"role":"tool","content":"x"}`), "input[0].role", `"tool"`},
		"a call without id":  {withItems(user, `{"type":"function_call","name":"ls"}`), "input[1].call_id", "call_id"},
		"a call of nothing":  {withItems(user, `{"type":"function_call","call_id":"c"}`), "input[1].name", "name"},
		"an output of which": {withItems(user, `{"type":"function_call_output","output":"x"}`), "input[1].call_id", "which call"},
		"no tokens":          {`{"input":"hi","max_output_tokens":0}`, "max_output_tokens", "1 or more"},
		"a format":           {`{"input":"hi","text":{"format":{"type":"xml"}}}`, "text.format.type", `"xml"`},
		"no schema":          {`{"input":"hi","text":{"format":{"type":"json_schema"}}}`, "text.format.schema", "schema"},
		"a nameless tool":    {`{"input":"hi","tools":[{"type":"function"}]}`, "tools[0].name", "name"},
		"a nameless inner tool": {
			`{"input":"hi","tools":[{"type":"web_search"},{"type":"namespace","name":"n","tools":[{"type":"function"}]}]}`,
			"tools[1].tools[0].name", "name",
		},
		"a choice that is none":  {`{"input":"hi","tool_choice":"any"}`, "tool_choice", `"any"`},
		"a choice by number":     {`{"input":"hi","tool_choice":7}`, "tool_choice", "JSON number"},
		"a tool that is missing": {`{"input":"hi","tool_choice":{"type":"function","name":"ls"}}`, "tool_choice", `"ls" is not listed`},
		"a tool of the vendor":   {`{"input":"hi","tool_choice":{"type":"web_search"}}`, "tool_choice.type", `"web_search"`},
		"no tool to require":     {`{"input":"hi","tools":[{"type":"web_search"}],"tool_choice":"required"}`, "tool_choice", "required"},
		"no tool allowed":        {`{"input":"hi","tool_choice":{"type":"allowed_tools","mode":"auto","tools":[]}}`, "tool_choice.tools", "No tool"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			request, wrong := Decode([]byte(tt.body))
			require.NotNil(t, wrong)
			assert.Nil(t, request)
			assert.Equal(t, 400, wrong.Status)
			assert.Equal(t, "invalid_request_error", wrong.Type)
			assert.Equal(t, tt.param, wrong.Param)
			assert.Contains(t, wrong.Message, tt.message)
			assert.NotContains(t, wrong.Message, "Go value")

			var body struct {
				Error struct{ Type, Message string }
			}
			require.NoError(t, json.Unmarshal(ErrorBody(wrong), &body))
			assert.Equal(t, wrong.Message, body.Error.Message)
		})
	}
}

// Whatever is accepted is a chat that can be sent, and its answer can be translated.
func FuzzDecode(f *testing.F) {
	for _, number := range []string{"001", "003", "009"} {
		f.Add(recorded(f, number))
	}
	f.Add([]byte(`{"input":"hi","tools":[{"type":"custom","name":"p"},{"type":"namespace","name":"n","tools":[{"type":"function","name":"p"}]}],"tool_choice":{"type":"custom","name":"p"}}`))
	f.Add([]byte(withItems(user, `{"type":"custom_tool_call","call_id":"c","name":"n","input":"x"}`, `{"type":"custom_tool_call_output","call_id":"c","output":[{"type":"input_image"}]}`)))
	f.Fuzz(func(t *testing.T, body []byte) {
		request, wrong := Decode(bytes.Clone(body))
		if wrong != nil {
			require.Nil(t, request)
			require.Equal(t, 400, wrong.Status)
			require.NotEmpty(t, wrong.Message)
			return
		}
		encoded, err := json.Marshal(request.Chat)
		require.NoError(t, err)
		again, wrong := Decode(body)
		require.Nil(t, wrong)
		same, err := json.Marshal(again.Chat)
		require.NoError(t, err)
		require.Equal(t, string(encoded), string(same))
		for _, def := range request.Chat.Tools {
			require.Regexp(t, `^[a-zA-Z0-9_-]{1,64}$`, def.Function.Name)
		}
		require.NotEmpty(t, request.Chat.Messages)
		for _, m := range request.Chat.Messages {
			require.Equal(t, m.Role == chat.Tool, m.ToolCallID != "")
			require.True(t, m.Content != nil || len(m.ToolCalls) > 0)
		}
		answer := request.Answer("x", created)
		answer.End()
		require.True(t, json.Valid(answer.Whole()))
	})
}
