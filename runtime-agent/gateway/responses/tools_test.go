package responses

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/chat"
)

func withTools(choice string, tools ...string) string {
	return `{"input":"hi","tool_choice":` + choice + `,"tools":[` + strings.Join(tools, ",") + `]}`
}

func names(request *Request) []string {
	var listed []string
	for _, def := range request.Chat.Tools {
		listed = append(listed, def.Function.Name)
	}
	return listed
}

const (
	list  = `{"type":"function","name":"list","description":"lists","strict":true,"parameters":{"type":"object","properties":{"d":{"type":"string"}}}}`
	patch = `{"type":"custom","name":"patch","description":"patches","format":{"type":"grammar","syntax":"lark","definition":"start: \"<a>\""}}`
	team  = `{"type":"namespace","name":"team","tools":[{"type":"function","name":"ask"},{"type":"custom","name":"tell"},{"type":"web_search"}]}`
)

func TestTools(t *testing.T) {
	request := decode(t, withTools(`"auto"`, list, patch, team,
		`{"type":"web_search","external_web_access":true}`, `{"type":"tool_search"}`, `{"type":"local_shell"}`,
		`{"type":"image_generation"}`, `{"type":"mcp","server_label":"x"}`, `{"type":"code_interpreter"}`, list))
	encoded, err := json.Marshal(request.Chat.Tools)
	require.NoError(t, err)
	const input = `{"type":"object","properties":{"input":{"type":"string","description":"The whole input of the tool, as one text.`
	assert.JSONEq(t, `[
		{"type":"function","function":{"name":"list","description":"lists","parameters":{"type":"object","properties":{"d":{"type":"string"}}}}},
		{"type":"function","function":{"name":"patch","description":"patches","parameters":`+input+` It has this form (lark):\nstart: \"<a>\""}},"required":["input"],"additionalProperties":false}}},
		{"type":"function","function":{"name":"team__ask","parameters":{"type":"object","properties":{}}}},
		{"type":"function","function":{"name":"team__tell","parameters":`+input+`"}},"required":["input"],"additionalProperties":false}}}
	]`, string(encoded))
}

func TestNamesAreValidAndDistinct(t *testing.T) {
	long := strings.Repeat("n", 70)
	request := decode(t, withTools(`"auto"`,
		`{"type":"function","name":"team__ask"}`, team,
		`{"type":"function","name":"a.b"}`, `{"type":"function","name":"a:b"}`, `{"type":"function","name":"a_b"}`,
		`{"type":"function","name":"`+long+`1"}`, `{"type":"function","name":"`+long+`2"}`,
		`{"type":"namespace","name":"mcp__git__","tools":[{"type":"function","name":"log"}]}`,
		`{"type":"namespace","name":"mcp__git","tools":[{"type":"function","name":"log"}]}`,
		`{"type":"namespace","name":"`+long+`","tools":[{"type":"function","name":"ü"}]}`))
	listed := names(request)
	require.Len(t, listed, 11)
	distinct := map[string]bool{}
	for _, name := range listed {
		assert.Regexp(t, `^[a-zA-Z0-9_-]{1,64}$`, name)
		distinct[name] = true
	}
	assert.Len(t, distinct, len(listed))
	assert.Equal(t, "team__ask", listed[0])
	assert.Equal(t, "a_b", listed[5])
	assert.Equal(t, "mcp__git__log", listed[8])
	for name, original := range map[string]origin{
		listed[1]: {namespace: "team", name: "ask"}, listed[2]: {namespace: "team", name: "tell", custom: true},
		listed[3]: {name: "a.b"}, listed[7]: {name: long + "2"},
		listed[9]: {namespace: "mcp__git", name: "log"}, listed[10]: {namespace: long, name: "ü"},
		"unknown": {name: "unknown"},
	} {
		assert.Equal(t, original, request.tools.origin(name))
	}
}

// The calls of a history bear the names that the tools are listed under.
func TestCallsOfTheHistoryBearTheNamesOfTheTools(t *testing.T) {
	request := decode(t, `{"tools":[{"type":"function","name":"team__ask"},`+team+`,{"type":"function","name":"a.b"}],"input":[`+user+`,
		{"type":"function_call","call_id":"c1","namespace":"team","name":"ask","arguments":"{}"},
		{"type":"function_call","call_id":"c2","name":"team__ask","arguments":"{}"},
		{"type":"custom_tool_call","call_id":"c3","namespace":"team","name":"tell","input":""},
		{"type":"function_call","call_id":"c4","name":"a.b","arguments":"{}"}]}`)
	listed := names(request)
	var called []string
	for _, call := range request.Chat.Messages[1].ToolCalls {
		called = append(called, call.Function.Name)
	}
	assert.Equal(t, []string{listed[1], listed[0], listed[2], listed[3]}, called)
}

func TestToolChoice(t *testing.T) {
	function := func(name string) any {
		return map[string]any{"type": "function", "function": map[string]string{"name": name}}
	}
	all := []string{"list", "patch", "team__ask", "team__tell"}
	tests := map[string]struct {
		choice string
		want   any
		tools  []string
	}{
		"none said":     {`null`, nil, all},
		"auto":          {`"auto"`, nil, all},
		"none":          {`"none"`, "none", all},
		"required":      {`"required"`, "required", all},
		"a function":    {`{"type":"function","name":"list"}`, function("list"), []string{"list"}},
		"a custom tool": {`{"type":"custom","name":"patch"}`, function("patch"), []string{"patch"}},
		"in a namespace": {
			`{"type":"function","namespace":"team","name":"ask"}`, function("team__ask"), []string{"team__ask"},
		},
		"some": {
			`{"type":"allowed_tools","mode":"auto","tools":[{"type":"custom","name":"patch"},{"type":"web_search"},{"type":"function","name":"list"}]}`,
			nil, []string{"list", "patch"},
		},
		"one of some": {
			`{"type":"allowed_tools","mode":"required","tools":[{"type":"function","name":"list"}]}`, "required", []string{"list"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			request := decode(t, withTools(tt.choice, list, patch, team))
			assert.Equal(t, tt.want, request.Chat.ToolChoice)
			assert.Equal(t, tt.tools, names(request))
		})
	}
	assert.Nil(t, decode(t, withTools(`"none"`)).Chat.ToolChoice, "nothing to choose from")
}

func TestInputOfCustomTools(t *testing.T) {
	for arguments, input := range map[string]string{
		`{"input":"a\nb"}`:         "a\nb",
		`{"input":""}`:             "",
		`{"input":"a","other":1}`:  "a",
		`{"patch":"a"}`:            `{"patch":"a"}`,
		`{"input":7}`:              `{"input":7}`,
		`*** Begin Patch`:          `*** Begin Patch`,
		customArguments("<a> & ü"): "<a> & ü",
	} {
		assert.Equal(t, input, customInput(arguments), arguments)
	}
}

func TestModelIsAskedForTheNameOfTheClient(t *testing.T) {
	request := decode(t, `{"model":"devstral-small-2","input":"hi"}`)
	assert.Equal(t, "devstral-small-2", request.Chat.Model)
	assert.Equal(t, []chat.Message{{Role: chat.User, Content: chat.Text("hi")}}, request.Chat.Messages)
}
