package messages

import (
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/goldentest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/chat"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/failure"
)

// recorded are requests of one conversation with Claude Code 2.1.328, its first, third and ninth,
// with their texts cut and replaced by x.
var recorded = []string{"claude-001", "claude-003", "claude-009"}

func decodeFile(t testing.TB, name string) *Request {
	t.Helper()
	body, err := os.ReadFile("testdata/" + name + ".json")
	require.NoError(t, err)
	return decode(t, string(body))
}

func decode(t testing.TB, body string) *Request {
	t.Helper()
	request, refused := Decode([]byte(body))
	require.Nil(t, refused, "%v", refused)
	return request
}

func indented(t testing.TB, value any) string {
	t.Helper()
	encoded, err := json.MarshalIndent(value, "", "  ")
	require.NoError(t, err)
	return string(encoded) + "\n"
}

func TestRequestsOfClaudeCode(t *testing.T) {
	for _, name := range recorded {
		t.Run(name, func(t *testing.T) {
			request := decodeFile(t, name)
			goldentest.Equal(t, "testdata/"+name+".chat.json", indented(t, request.Chat))
			assert.True(t, request.Stream)
		})
	}
}

// What a request repeats of the one before it must come out the same, or the engine reads it
// again. Between these requests cache_control moves and a list of parts becomes a string.
func TestHistoryIsStable(t *testing.T) {
	var before string
	for _, name := range recorded {
		request := decodeFile(t, name)
		encoded, err := json.Marshal(struct {
			Tools    []chat.ToolDef
			Messages []chat.Message
		}{request.Chat.Tools, request.Chat.Messages})
		require.NoError(t, err)
		open := strings.TrimSuffix(string(encoded), "]}")
		assert.True(t, strings.HasPrefix(open, before), "%s does not begin like the request before it", name)
		assert.Greater(t, len(open), len(before))
		before = open
	}
}

func TestNothingOfTheVendorReachesThePrompt(t *testing.T) {
	for _, name := range recorded {
		encoded := indented(t, decodeFile(t, name).Chat)
		for _, word := range []string{
			"billing", "cache_control", "ephemeral", "thinking", "adaptive", "context_management", "clear_thinking",
			"output_config", "metadata", "user_id", "DeferredToolPlaceholder",
		} {
			assert.NotContains(t, encoded, word, name)
		}
	}
}

const oneMessage = `"messages":[{"role":"user","content":"Hi"}]`

// histories are requests and the messages that they become.
var histories = map[string]struct {
	body string
	want []chat.Message
}{
	"a string": {
		`{"messages":[{"role":"user","content":"Hi"}]}`,
		[]chat.Message{says(chat.User, "Hi")},
	},
	"parts": {
		`{"messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":""},{"type":"text","text":"b"}]}]}`,
		[]chat.Message{says(chat.User, "a\n\nb")},
	},
	"system as a string": {
		`{"system":"Be brief",` + oneMessage + `}`,
		[]chat.Message{says(chat.System, "Be brief"), says(chat.User, "Hi")},
	},
	"system in blocks, the billing line first": {
		`{"system":[{"type":"text","text":"x-anthropic-billing-header: cc_version=2.1.328.56a;"},
		{"type":"text","text":"a"},{"type":"text","text":"b"}],` + oneMessage + `}`,
		[]chat.Message{says(chat.System, "a\n\nb"), says(chat.User, "Hi")},
	},
	"the billing line alone": {
		`{"system":[{"type":"text","text":"x-anthropic-billing-header: cc_version=2.1.328.56a;"}],` + oneMessage + `}`,
		[]chat.Message{says(chat.User, "Hi")},
	},
	"a system message in its place": {
		`{"messages":[{"role":"user","content":"Hi"},{"role":"system","content":[{"type":"text","text":"Today is Monday"}]}]}`,
		[]chat.Message{says(chat.User, "Hi"), says(chat.System, "Today is Monday")},
	},
	"thinking of earlier turns": {
		`{"messages":[{"role":"assistant","content":[{"type":"thinking","thinking":"Hm","signature":"s"},
		{"type":"redacted_thinking","data":"d"},{"type":"text","text":"Yes"}]}]}`,
		[]chat.Message{says(chat.Assistant, "Yes")},
	},
	"nothing but thinking": {
		`{"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":[{"type":"thinking","thinking":"Hm"}]}]}`,
		[]chat.Message{says(chat.User, "Hi")},
	},
	"empty contents": {
		`{"messages":[{"role":"user","content":""},{"role":"assistant","content":[]},{"role":"user","content":null},
		{"role":"assistant"},{"role":"user","content":"Hi"}]}`,
		[]chat.Message{says(chat.User, "Hi")},
	},
	"pieces of an answer": {
		`{"messages":[{"role":"assistant","content":[{"type":"text","text":"It is "},{"type":"text","text":"7"}]}]}`,
		[]chat.Message{says(chat.Assistant, "It is 7")},
	},
	"calls": {
		`{"messages":[{"role":"assistant","content":[{"type":"text","text":"Look"},
		{"type":"tool_use","id":"toolu_1","name":"Bash","input":{ "command" : "a  <b" , "a":1}},
		{"type":"tool_use","id":"toolu_2","name":"List","input":{}}]}]}`,
		[]chat.Message{{Role: chat.Assistant, Content: chat.Text("Look"), ToolCalls: []chat.ToolCall{
			{ID: "toolu_1", Type: "function", Function: chat.Function{Name: "Bash", Arguments: `{"command":"a  <b","a":1}`}},
			{ID: "toolu_2", Type: "function", Function: chat.Function{Name: "List", Arguments: `{}`}},
		}}},
	},
	"a call alone has no content": {
		`{"messages":[{"role":"assistant","content":[{"type":"tool_use","id":"toolu_1","name":"Bash","input":{}}]}]}`,
		[]chat.Message{{Role: chat.Assistant, ToolCalls: []chat.ToolCall{
			{ID: "toolu_1", Type: "function", Function: chat.Function{Name: "Bash", Arguments: `{}`}},
		}}},
	},
	"text beside results comes after them": {
		`{"messages":[{"role":"user","content":[{"type":"text","text":"Go on"},
		{"type":"tool_result","tool_use_id":"toolu_1","content":"one"},
		{"type":"tool_result","tool_use_id":"toolu_2","content":[{"type":"text","text":"two"},{"type":"text","text":"three"}]},
		{"type":"text","text":"please"}]}]}`,
		[]chat.Message{result("toolu_1", "one"), result("toolu_2", "two\n\nthree"), says(chat.User, "Go on\n\nplease")},
	},
	"results without content": {
		`{"messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1"},
		{"type":"tool_result","tool_use_id":"toolu_2","content":[]}]}]}`,
		[]chat.Message{result("toolu_1", ""), result("toolu_2", "")},
	},
	"results that are errors": {
		`{"messages":[{"role":"user","content":[
		{"type":"tool_result","tool_use_id":"toolu_1","is_error":true,"content":"Exit code 1"},
		{"type":"tool_result","tool_use_id":"toolu_2","is_error":true,"content":[{"type":"text","text":"error: no such file"}]},
		{"type":"tool_result","tool_use_id":"toolu_3","is_error":true},
		{"type":"tool_result","tool_use_id":"toolu_4","is_error":false,"content":"Error in line 7"}]}]}`,
		[]chat.Message{
			result("toolu_1", "Error: Exit code 1"), result("toolu_2", "error: no such file"),
			result("toolu_3", "Error"), result("toolu_4", "Error in line 7"),
		},
	},
	"documents that are text": {
		`{"messages":[{"role":"user","content":[
		{"type":"document","title":"a.txt","context":"From the wiki","source":{"type":"text","media_type":"text/plain","data":"alpha"}},
		{"type":"document","title":null,"source":{"type":"content","content":[{"type":"text","text":"beta"}]}},
		{"type":"document","source":{"type":"content","content":"gamma"}},
		{"type":"search_result","title":"Delta","source":"https://example.org/d","content":[{"type":"text","text":"delta"}]}]}]}`,
		[]chat.Message{says(chat.User, "a.txt\nFrom the wiki\nalpha\n\nbeta\n\ngamma\n\nDelta\nhttps://example.org/d\ndelta")},
	},
	"a document in a result": {
		`{"messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1","content":[
		{"type":"document","source":{"type":"text","data":"alpha"}}]}]}]}`,
		[]chat.Message{result("toolu_1", "alpha")},
	},
	"what Anthropic's servers did": {
		`{"messages":[{"role":"assistant","content":[{"type":"server_tool_use","id":"s","name":"web_search","input":{"query":"q"}},
		{"type":"web_search_tool_result","tool_use_id":"s","content":{"type":"web_search_tool_result_error","error_code":"unavailable"}},
		{"type":"text","text":"Found nothing"}]}]}`,
		[]chat.Message{says(chat.Assistant, "Found nothing")},
	},
	"changes of tools": {
		`{"messages":[{"role":"user","content":"Hi"},
		{"role":"system","content":[{"type":"tool_addition","tool":{"type":"tool_reference","name":"X"}},
		{"type":"tool_removal","tool":{"type":"tool_reference","name":"Y"}}]}]}`,
		[]chat.Message{says(chat.User, "Hi")},
	},
}

func TestHistory(t *testing.T) {
	for name, c := range histories {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, indented(t, c.want), indented(t, decode(t, c.body).Chat.Messages))
		})
	}
}

func says(role, text string) chat.Message {
	return chat.Message{Role: role, Content: &text}
}

func result(id, text string) chat.Message {
	return chat.Message{Role: chat.Tool, ToolCallID: id, Content: &text}
}

func TestSettings(t *testing.T) {
	request := decode(t, `{"model":"m",`+oneMessage+`,"max_tokens":100,"stop_sequences":["END"],"temperature":0.5,
		"top_p":0.9,"top_k":40,"metadata":{"user_id":7},"service_tier":"auto",
		"output_config":{"effort":"high","format":{"type":"json_schema","schema":{"type":"object"}}}}`)
	assert.JSONEq(t, `{"model":"m","messages":[{"role":"user","content":"Hi"}],"max_tokens":100,"stop":["END"],
		"temperature":0.5,"top_p":0.9,"top_k":40,"stream":true,"stream_options":{"include_usage":true},
		"response_format":{"type":"json_schema","json_schema":{"name":"answer","strict":true,"schema":{"type":"object"}}}}`,
		indented(t, request.Chat))
	assert.False(t, request.Stream)
}

func TestMaxTokens(t *testing.T) {
	for body, want := range map[string]int{
		`{` + oneMessage + `}`:                   0, // count_tokens
		`{` + oneMessage + `,"max_tokens":0}`:    1,
		`{` + oneMessage + `,"max_tokens":4096}`: 4096,
	} {
		assert.Equal(t, want, decode(t, body).Chat.MaxTokens, body)
	}
}

const (
	bash   = `{"name":"Bash","description":"Runs a command","input_schema":{"type":"object","properties":{"command":{"type":"string"}}}}`
	grep   = `{"type":"custom","name":"Grep","input_schema":{"type":"object"},"cache_control":{"type":"ephemeral"}}`
	search = `{"type":"web_search_20250305","name":"web_search","max_uses":8}`
	fetch  = `{"name":"Fetch","input_schema":{"type":"object"},"defer_loading":true}`
	drop   = `{"name":"Drop","input_schema":{"type":"object"},"defer_loading":true}`
	finder = `{"type":"tool_search_tool_bm25_20251119","name":"tool_search_tool_bm25"}`
	// found is a tool search of the client that has found Drop, which then was added again.
	found = `"messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":[{"type":"tool_reference","tool_name":"Drop"}]}]},
		{"role":"system","content":[{"type":"tool_addition","tool":{"type":"tool_reference","name":"Drop"}}]}]`
)

func TestTools(t *testing.T) {
	cases := map[string]struct {
		body   string
		names  []string
		choice any
	}{
		"none":                          {oneMessage, nil, nil},
		"none, but a choice":            {oneMessage + `,"tool_choice":{"type":"none"}`, nil, nil},
		"in order":                      {oneMessage + `,"tools":[` + grep + `,` + bash + `]`, []string{"Bash", "Grep"}, nil},
		"auto":                          {oneMessage + `,"tools":[` + bash + `],"tool_choice":{"type":"auto"}`, []string{"Bash"}, nil},
		"any":                           {oneMessage + `,"tools":[` + bash + `,` + grep + `],"tool_choice":{"type":"any"}`, []string{"Bash", "Grep"}, "required"},
		"no choice":                     {oneMessage + `,"tools":[` + bash + `,` + grep + `],"tool_choice":{"type":"none"}`, []string{"Bash", "Grep"}, "none"},
		"one":                           {oneMessage + `,"tools":[` + bash + `,` + grep + `],"tool_choice":{"type":"tool","name":"Grep"}`, []string{"Grep"}, "required"},
		"of servers":                    {oneMessage + `,"tools":[` + search + `,` + bash + `]`, []string{"Bash"}, nil},
		"deferred":                      {oneMessage + `,"tools":[` + fetch + `,` + drop + `,` + bash + `]`, []string{"Bash"}, nil},
		"deferred and found, once":      {found + `,"tools":[` + fetch + `,` + drop + `,` + bash + `]`, []string{"Bash", "Drop"}, nil},
		"deferred, but a server's find": {oneMessage + `,"tools":[` + fetch + `,` + finder + `,` + bash + `]`, []string{"Bash", "Fetch"}, nil},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			request := decode(t, "{"+c.body+"}")
			var names []string
			for _, tool := range request.Chat.Tools {
				assert.Equal(t, "function", tool.Type)
				names = append(names, tool.Function.Name)
			}
			assert.Equal(t, c.names, names)
			assert.Equal(t, c.choice, request.Chat.ToolChoice)
		})
	}
}

func TestToolIsTranslatedWhole(t *testing.T) {
	assert.JSONEq(t, `[{"type":"function","function":{"name":"Bash","description":"Runs a command",
		"parameters":{"type":"object","properties":{"command":{"type":"string"}}}}}]`,
		indented(t, decode(t, `{`+oneMessage+`,"tools":[`+bash+`]}`).Chat.Tools))
}

func TestFoundToolIsNamed(t *testing.T) {
	request := decode(t, `{`+found+`,"tools":[`+drop+`]}`)
	assert.Equal(t, []chat.Message{result("t", "Found the tool Drop")}, request.Chat.Messages)
}

func TestRefusals(t *testing.T) {
	inUser := func(block string) string { return `{"messages":[{"role":"user","content":[` + block + `]}]}` }
	cases := map[string]struct{ body, param, message string }{
		"no JSON":            {`{"messages":`, "", "not JSON"},
		"a list":             {`[]`, "", "a JSON array is not allowed here"},
		"nothing":            {`{}`, "messages", "send at least one message"},
		"no text at all":     {`{"messages":[{"role":"user","content":""}]}`, "messages", "send at least one message"},
		"a number of tokens": {`{` + oneMessage + `,"max_tokens":"many"}`, "max_tokens", "a JSON string is not allowed here"},
		"negative tokens":    {`{` + oneMessage + `,"max_tokens":-1}`, "max_tokens", "-1 is less than 0"},
		"a role":             {`{"messages":[{"role":"tool","content":"x"}]}`, "messages.0.role", `"tool" is not a role`},
		"no role":            {`{"messages":[null]}`, "messages.0.role", `"" is not a role`},
		"a content":          {`{"messages":[{"role":"user","content":7}]}`, "messages.0.content", "a JSON number is not allowed here"},
		"a text":             {inUser(`{"type":"text","text":{}}`), "messages.0.content.text", "a JSON object is not allowed here"},
		"system":             {`{"system":{"text":"x"},` + oneMessage + `}`, "system", "a JSON object is not allowed here"},
		"a block":            {inUser(`{"type":"text","text":"x"},{"type":"hologram"}`), "messages.0.content.1.type", `a block of the type "hologram" is not supported here`},
		"a result of the assistant": {`{"messages":[{"role":"assistant","content":[{"type":"tool_result","tool_use_id":"t"}]}]}`,
			"messages.0.content.0.type", `"tool_result" is not supported here`},
		"a call of the user":          {inUser(`{"type":"tool_use","id":"t","name":"n","input":{}}`), "messages.0.content.0.type", `"tool_use" is not supported here`},
		"an image":                    {inUser(`{"type":"image","source":{"type":"base64"}}`), "messages.0.content.0", "could not process image"},
		"an image in a result":        {inUser(`{"type":"tool_result","tool_use_id":"t","content":[{"type":"image"}]}`), "messages.0.content.0.content.0", "could not process image"},
		"a PDF":                       {inUser(`{"type":"document","source":{"type":"base64","data":"JVBE"}}`), "messages.0.content.0.source.type", "could not process PDF"},
		"an image in a document":      {inUser(`{"type":"document","source":{"type":"content","content":[{"type":"image"}]}}`), "messages.0.content.0.source.content.0.type", "text alone is"},
		"a document without a source": {inUser(`{"type":"document"}`), "messages.0.content.0.source.type", "could not process PDF"},
		"a source":                    {inUser(`{"type":"document","source":7}`), "messages.0.content.0.source", "a JSON number is not allowed here"},
		"a source of a search result": {inUser(`{"type":"search_result","source":{}}`), "messages.0.content.0.source", "a JSON object is not allowed here"},
		"a result without an id":      {inUser(`{"type":"tool_result","content":"x"}`), "messages.0.content.0.tool_use_id", "needs the id"},
		"a call without an id":        {`{"messages":[{"role":"assistant","content":[{"type":"tool_use","name":"n","input":{}}]}]}`, "messages.0.content.0", "needs an id"},
		"a call with a list": {`{"messages":[{"role":"assistant","content":[{"type":"tool_use","id":"t","name":"n","input":[]}]}]}`,
			"messages.0.content.0.input", "must be a JSON object"},
		"a tool defined in a message": {inUser(`{"type":"tool_addition","tool":{"type":"tool_definition","definition":{"name":"X"}}}`),
			"messages.0.content.0", "tool definitions in messages are not available on this platform"},
		"a tool without a name":   {`{` + oneMessage + `,"tools":[` + bash + `,{"input_schema":{}}]}`, "tools.1.name", "needs a name"},
		"a tool without a schema": {`{` + oneMessage + `,"tools":[{"type":"bash_20250124","name":"bash"}]}`, "tools.0.input_schema", `the tool "bash" needs a JSON schema`},
		"a choice":                {`{` + oneMessage + `,"tool_choice":{"type":"some"}}`, "tool_choice.type", `"some" is not a choice`},
		"any of no tools":         {`{` + oneMessage + `,"tools":[` + search + `],"tool_choice":{"type":"any"}}`, "tool_choice", "there are no tools to call"},
		"a tool of a server": {`{` + oneMessage + `,"tools":[` + search + `],"tool_choice":{"type":"tool","name":"web_search"}}`,
			"tool_choice.name", `there is no tool "web_search" to call`},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			request, err := Decode([]byte(c.body))
			require.NotNil(t, err)
			assert.Nil(t, request)
			assert.Equal(t, http.StatusBadRequest, err.Status)
			assert.Equal(t, failure.InvalidRequest, err.Type)
			assert.Equal(t, c.param, err.Param)
			assert.Contains(t, err.Message, c.message)
		})
	}
}
