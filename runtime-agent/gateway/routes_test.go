package gateway

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
)

func TestRoute(t *testing.T) {
	for path, want := range map[string][2]string{
		"/v1/chat/completions":       {appliance.PathChat, ""},
		"/v1/chat/completions/":      {appliance.PathChat, ""},
		"/chat/completions":          {appliance.PathChat, ""},
		"/v1/v1/chat/completions":    {appliance.PathChat, ""},
		"//v1//chat/completions":     {appliance.PathChat, ""},
		"/completions":               {appliance.PathCompletions, ""},
		"/responses":                 {appliance.PathResponses, ""},
		"/v1/messages":               {appliance.PathMessages, ""},
		"/v1/messages/count_tokens":  {appliance.PathCountTokens, ""},
		"/models":                    {appliance.PathModels, ""},
		"/v1/models/":                {appliance.PathModels, ""},
		"/v1/models/a":               {pathModel, "a"},
		"/models/a/":                 {pathModel, "a"},
		"/readyz":                    {appliance.PathReadyz, ""},
		"/v1/readyz":                 {unknown, ""},
		"/metrics":                   {appliance.PathMetrics, ""},
		"/v1":                        {unknown, ""},
		"/":                          {unknown, ""},
		"":                           {unknown, ""},
		"/v1/models/../../system":    {unknown, ""},
		"/v1/chat/completions/x":     {unknown, ""},
		"/v1/responses/resp_1/input": {unknown, ""},
	} {
		name, model := route(path)
		assert.Equal(t, want, [2]string{name, model}, path)
	}
}

func TestModels(t *testing.T) {
	r := start(t, fails(500, ""))
	var list struct {
		Object string
		Data   []map[string]any
	}
	require.NoError(t, json.Unmarshal([]byte(read(t, r.ask(t.Context(), t, "a", http.MethodGet, "/models/", ""))), &list))
	require.Len(t, list.Data, 1)
	var one map[string]any
	require.NoError(t, json.Unmarshal([]byte(read(t, r.ask(t.Context(), t, "a", http.MethodGet, "/v1/models/"+appliance.ModelID, ""))), &one))
	assert.Equal(t, list.Data[0], one)
	assert.Equal(t, "list", list.Object)
	for name, want := range map[string]any{
		"id": appliance.ModelID, "object": "model", "created": 1795376243.0, "owned_by": "slm-copilot",
		"context_length": 4096.0, "max_model_len": 4096.0, "context_window": 4096.0, "created_at": "2026-11-22T19:37:23Z",
	} {
		assert.Equal(t, want, one[name], name)
	}
	assert.Equal(t, map[string]any{"n_ctx": 4096.0}, one["meta"])

	missing := r.ask(t.Context(), t, "a", http.MethodGet, "/v1/models/gpt-4", "")
	assert.Equal(t, 404, missing.StatusCode)
	assert.Equal(t, "model_not_found", errorCode(t, read(t, missing)))
	head := r.ask(t.Context(), t, "a", http.MethodHead, appliance.PathModels, "")
	assert.Equal(t, 200, head.StatusCode)
	assert.Empty(t, read(t, head))
}

func TestRequestsThatAreRefused(t *testing.T) {
	r := start(t, fails(500, "the engine must not be asked"))
	for name, tt := range map[string]struct {
		method, path, body string
		status             int
		code, field        string
	}{
		"no such path":             {"GET", "/v1/files", "", 404, "unknown_url", ""},
		"wrong method":             {"GET", appliance.PathChat, "", 405, "method_not_allowed", ""},
		"no JSON":                  {"POST", appliance.PathChat, `{"messages":`, 400, "invalid_value", ""},
		"a list":                   {"POST", appliance.PathChat, `[]`, 400, "invalid_value", ""},
		"null":                     {"POST", appliance.PathChat, `null`, 400, "invalid_value", ""},
		"nothing":                  {"POST", appliance.PathChat, ``, 400, "invalid_value", ""},
		"another model":            {"POST", appliance.PathChat, `{"model":"gpt-4","messages":[{"role":"user","content":"a"}]}`, 404, "model_not_found", "model"},
		"model of a wrong type":    {"POST", appliance.PathChat, `{"model":1,"messages":[{"role":"user","content":"a"}]}`, 400, "invalid_value", "model"},
		"no messages":              {"POST", appliance.PathChat, `{}`, 400, "invalid_value", "messages"},
		"empty messages":           {"POST", appliance.PathChat, `{"messages":[]}`, 400, "invalid_value", "messages"},
		"a message of text":        {"POST", appliance.PathChat, `{"messages":["a"]}`, 400, "invalid_value", "messages[0]"},
		"an unknown role":          {"POST", appliance.PathChat, `{"messages":[{"role":"narrator","content":"a"}]}`, 400, "invalid_value", "messages[0].role"},
		"an image":                 {"POST", appliance.PathChat, `{"messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"data:"}}]}]}`, 400, "invalid_value", "messages[0].content[1]"},
		"a number as content":      {"POST", appliance.PathChat, `{"messages":[{"role":"user","content":1}]}`, 400, "invalid_value", "messages[0].content"},
		"stream of a wrong type":   {"POST", appliance.PathChat, `{"stream":"yes","messages":[{"role":"user","content":"a"}]}`, 400, "invalid_value", "stream"},
		"a choice that is no tool": {"POST", appliance.PathChat, `{"messages":[{"role":"user","content":"a"}],"tool_choice":{"type":"function","function":{"name":"x"}}}`, 400, "invalid_value", "tool_choice"},
		"two prompts":              {"POST", appliance.PathCompletions, `{"prompt":["a","b"]}`, 400, "invalid_value", "prompt"},
		"several answers":          {"POST", appliance.PathChat, `{"messages":[{"role":"user","content":"a"}],"n":2}`, 400, "invalid_value", "n"},
		"probabilities":            {"POST", appliance.PathChat, `{"messages":[{"role":"user","content":"a"}],"logprobs":true}`, 400, "invalid_value", "logprobs"},
		"functions":                {"POST", appliance.PathChat, `{"messages":[{"role":"user","content":"a"}],"functions":[{"name":"f"}]}`, 400, "invalid_value", "functions"},
		"a custom tool":            {"POST", appliance.PathChat, `{"messages":[{"role":"user","content":"a"}],"tools":[{"type":"custom","custom":{"name":"f"}}]}`, 400, "invalid_value", "tools[0].type"},
		"a prompt of tokens":       {"POST", appliance.PathCompletions, `{"prompt":[1,2]}`, 400, "invalid_value", "prompt"},
	} {
		t.Run(name, func(t *testing.T) {
			response := r.ask(t.Context(), t, "a", tt.method, tt.path, tt.body)
			text := read(t, response)
			assert.Equal(t, tt.status, response.StatusCode, text)
			var said struct {
				Type  string
				Error struct {
					Code  string
					Param *string
				}
			}
			require.NoError(t, json.Unmarshal([]byte(text), &said))
			assert.Equal(t, "error", said.Type)
			assert.Equal(t, tt.code, said.Error.Code, text)
			if tt.field == "" {
				assert.Nil(t, said.Error.Param)
			} else if assert.NotNil(t, said.Error.Param) {
				assert.Equal(t, tt.field, *said.Error.Param)
			}
		})
	}
	tooLarge := r.post(t, appliance.PathChat, string(make([]byte, appliance.BodyLimit+1)))
	assert.Equal(t, 413, tooLarge.StatusCode)
	assert.Equal(t, "request_too_large", errorCode(t, read(t, tooLarge)))
}
