package gateway

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/failure"
)

// What a client sends, and what the engine gets of it.
func TestFields(t *testing.T) {
	const messages = `"messages":[{"role":"user","content":"a"}],"model":"devstral-small-2","stream":true,"stream_options":{"include_usage":true}`
	const f, g = `{"type":"function","function":{"name":"f"}}`, `{"type":"function","function":{"name":"g"}}`
	for name, tt := range map[string]struct{ sent, want string }{
		"nothing":               {``, ``},
		"max_tokens":            {`,"max_tokens":7`, `,"max_tokens":7`},
		"its newer name":        {`,"max_completion_tokens":7`, `,"max_tokens":7`},
		"both":                  {`,"max_tokens":9,"max_completion_tokens":7`, `,"max_tokens":7`},
		"the newer is null":     {`,"max_tokens":3,"max_completion_tokens":null`, `,"max_tokens":3`},
		"both null":             {`,"max_tokens":null,"max_completion_tokens":null`, ``},
		"no tokens":             {`,"max_tokens":0`, `,"max_tokens":1`},
		"other fields":          {`,"seed":1,"stop":["a"],"user":"u","response_format":{"type":"json_object"}`, `,"seed":1,"stop":["a"],"user":"u","response_format":{"type":"json_object"}`},
		"a choice":              {`,"tools":[` + f + `],"tool_choice":"auto"`, `,"tools":[` + f + `],"tool_choice":"auto"`},
		"one function":          {`,"tools":[` + f + `,` + g + `],"tool_choice":{"type":"function","function":{"name":"g"}}`, `,"tools":[` + g + `],"tool_choice":"required"`},
		"allowed tools":         {`,"tools":[` + f + `,` + g + `],"tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"auto","tools":[` + f + `]}}`, `,"tools":[` + f + `],"tool_choice":"auto"`},
		"a pattern":             {`,"tools":[{"type":"function","function":{"name":"f","parameters":{"properties":{"pattern":{"type":"string","pattern":"^\\\\S+$"}},"examples":[{"pattern":"a"}]}}}]`, `,"tools":[{"type":"function","function":{"name":"f","parameters":{"properties":{"pattern":{"type":"string"}},"examples":[{"pattern":"a"}]}}}]`},
		"one choice of answers": {`,"n":1,"logprobs":false`, `,"n":1,"logprobs":false`},
	} {
		t.Run(name, func(t *testing.T) {
			made, failed := decodeChat([]byte(`{"messages":[{"role":"user","content":"a"}]` + tt.sent + `}`))
			require.Nil(t, failed)
			body, err := io.ReadAll(made.question.Body())
			require.NoError(t, err)
			assert.Equal(t, int64(len(body)), made.question.Length)
			assert.JSONEq(t, `{`+messages+tt.want+`}`, string(body))
		})
	}
}

// A body is written as it was read, whatever its fields are.
func FuzzObject(f *testing.F) {
	f.Add([]byte(`{"a":1,"b":{"c":[" ",null]},"":"\\ud83d"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		fields, failed := parse(body)
		if failed != nil {
			return
		}
		reader, size := fields.reader()
		again, err := io.ReadAll(reader())
		require.NoError(t, err)
		assert.Equal(t, size, int64(len(again)))
		once, err := io.ReadAll(reader())
		require.NoError(t, err)
		assert.Equal(t, again, once)
		var was, is map[string]any
		require.NoError(t, json.Unmarshal(body, &was))
		require.NoError(t, json.Unmarshal(again, &is))
		assert.Equal(t, was, is)
	})
}

// Whatever a request says, it is refused or can be asked.
func FuzzChatCall(f *testing.F) {
	f.Add([]byte(`{"messages":[{"role":"user","content":"a"}],"tools":[{"type":"function","function":{"name":"f","parameters":{"pattern":"a"}}}],"tool_choice":{"type":"allowed_tools"}}`))
	f.Add([]byte(`{"messages":[{"role":"assistant","tool_calls":[{"function":{"arguments":{}}}]},{"role":"tool","content":[{"type":"text"}]}],"max_tokens":0}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		made, failed := decodeChat(body)
		if failed != nil {
			assert.Contains(t, []int{400, 404}, failed.Status)
			return
		}
		asked, err := io.ReadAll(made.question.Body())
		require.NoError(t, err)
		assert.True(t, json.Valid(asked), string(asked))
	})
}

func decodeChat(body []byte) (*call, *failure.Error) {
	one := &request{state: &state{Config: testConfig("127.0.0.1:1")}, r: httptest.NewRequest(http.MethodPost, appliance.PathChat, http.NoBody)}
	return one.decodeChat(body)
}
