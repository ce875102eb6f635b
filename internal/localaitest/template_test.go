package localaitest

import (
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The kinds of messages of the histories below. Capitals are of the system.
var kindsOfMessages = map[string]message{
	"S": {Role: "system", Content: "S"},
	"D": {Role: "developer", Content: "D"},
	"u": {Role: "user", Content: "u"},
	"a": {Role: "assistant", Content: "a"},
	"e": {Role: "assistant"},
	"9": {Role: "assistant", ToolCalls: []toolCall{{ID: "abcdefghi", Type: "function", Function: functionCall{"ls", `{"a":1}`}}}},
	"7": {Role: "assistant", ToolCalls: []toolCall{{ID: "call_01", Type: "function", Function: functionCall{"ls", `{"a":1}`}}}},
	"x": {Role: "assistant", ToolCalls: []toolCall{{ID: "abcdefghi", Type: "function", Function: functionCall{"ls", ""}}}},
	"l": {Role: "assistant", ToolCalls: []toolCall{{ID: "abcdefghi", Type: "function", Function: functionCall{"ls", "[1]"}}}},
	"t": {Role: "tool", Content: "t", ToolCallID: "abcdefghi"},
	"n": {Role: "tool", Content: "t"},
	"c": {Role: "critic", Content: "c"},
	"r": {Role: "user", Content: "<tool_response>t</tool_response>"},
	"i": {Role: "user", Content: []any{map[string]any{"type": "image_url", "image_url": map[string]any{"url": "data:image/png;base64,AAAA"}}}},
	"h": {Role: "user", Content: []any{map[string]any{"type": "image_url", "image_url": map[string]any{"url": "https://a.example/b.png"}}}},
}

func historyOf(kinds string) []message {
	var messages []message
	for _, kind := range strings.Split(kinds, "") {
		messages = append(messages, kindsOfMessages[kind])
	}
	return messages
}

// Every history of up to four messages was held against the models' own templates, rendered by
// @huggingface/jinja 0.5.11, and some against llama.cpp's own code (b10361), which renders them
// without an engine: the errors were the same to the letter.
func TestRulesOfTemplates(t *testing.T) {
	const (
		accepted  = ""
		twice     = "Cannot have 2 or more assistant messages at the end of the list."
		image     = "image input is not supported - hint: if this is unexpected, you may need to provide the mmproj"
		arguments = "Failed to parse tool call arguments as JSON: [json.exception.parse_error.101] parse error at line 1, column 1: attempting to parse an empty input; check that your input string or stream contains the expected JSON"

		mistral  = "After the optional system message, conversation roles must alternate user and assistant roles except for tool calls and results."
		role     = "Only user, assistant and tool roles are supported, got "
		nemo     = "After the optional system message, conversation roles must alternate user/assistant/user/assistant/..."
		nemoID   = "Tool call IDs should be alphanumeric strings with length 9!"
		nemoRole = "Only user and assistant roles are supported, with the exception of an initial optional system message!"
		gemma    = "Conversation roles must alternate user/assistant/user/assistant/..."
		noSystem = "System role not supported"
		begins   = "System message must be at the beginning."
		noQuery  = "No user query found in messages."
		list     = "Unknown (built-in) filter 'items' for type Array"
		nothing  = "No messages provided."
		qwenRole = "Unexpected message role."
	)
	all := []Template{Devstral, Relaxed, MistralNemo, Gemma2, Gemma3, ChatML, Qwen35}
	for _, c := range []struct {
		history string
		// want is in the order of all.
		want [7]string
	}{
		{"u", [7]string{}},
		{"Su", [7]string{}},
		{"Du", [7]string{}},
		{"uau", [7]string{}},
		{"ua", [7]string{}}, // the start of the answer
		{"uu", [7]string{mistral, accepted, nemo, gemma, gemma, accepted, accepted}},
		{"au", [7]string{mistral, accepted, nemo, gemma, gemma, accepted, accepted}},
		{"ueu", [7]string{}},
		{"DDuu", [7]string{mistral, accepted, nemo, noSystem, gemma, accepted, begins}},
		{"uSu", [7]string{mistral, accepted, nemoRole, accepted, accepted, accepted, begins}},
		{"uaSu", [7]string{role + "system.", accepted, nemo, gemma, gemma, accepted, begins}},
		{"uS", [7]string{role + "system.", accepted, nemoRole, accepted, accepted, accepted, begins}},
		{"uc", [7]string{role + "critic.", role + "critic.", nemoRole, accepted, accepted, accepted, qwenRole}},
		{"u9t", [7]string{accepted, accepted, accepted, gemma, gemma, accepted, accepted}},
		{"u9tu", [7]string{mistral, accepted, nemo, gemma, gemma, accepted, accepted}},
		{"u9t9tau", [7]string{accepted, accepted, accepted, gemma, gemma, accepted, accepted}},
		{"u7t", [7]string{accepted, accepted, nemoID, gemma, gemma, accepted, accepted}},
		{"u9n", [7]string{accepted, accepted, nemoID, gemma, gemma, accepted, accepted}},
		{"ut", [7]string{}},
		{"uxt", [7]string{arguments, arguments, arguments, gemma, gemma, arguments, arguments}},
		{"ult", [7]string{accepted, accepted, accepted, gemma, gemma, accepted, list}},
		{"t", [7]string{accepted, accepted, accepted, gemma, gemma, accepted, noQuery}},
		{"r", [7]string{accepted, accepted, accepted, accepted, accepted, accepted, noQuery}},
		{"S", [7]string{accepted, accepted, accepted, accepted, accepted, accepted, noQuery}},
		{"a", [7]string{accepted, accepted, accepted, accepted, accepted, accepted, nothing}},
		{"uaa", [7]string{twice, twice, twice, twice, twice, twice, twice}},
		{"ui", [7]string{image, image, image, image, image, image, image}},
		{"h", [7]string{}},
	} {
		for i, template := range all {
			_, err := completionRequest{Messages: historyOf(c.history)}.prompt(template)
			if c.want[i] == accepted {
				require.NoError(t, err, "%s, template %d", c.history, template)
				continue
			}
			want := c.want[i]
			if !slices.Contains([]string{twice, image, arguments}, want) {
				if want != list {
					want = "Jinja Exception: " + want
				}
				want = templates[template].templateError(want)
				assert.Equal(t, templates[template].derived, strings.HasPrefix(want, "Unable to generate parser for this template."))
			}
			require.EqualError(t, err, want, "%s, template %d", c.history, template)
		}
	}
}

func TestPrompts(t *testing.T) {
	ls := []tool{{"function", function{Name: "ls", Strict: true, Parameters: map[string]any{"type": "object"}}}}
	const tools = `[{"type": "function", "function": {"name": "ls", "description": "", "parameters": {"type": "object"}}}]`
	for name, c := range map[string]struct {
		template Template
		history  string
		tools    []tool
		want     string
	}{
		"Devstral":            {Devstral, "Su9ta", ls, "[SYSTEM_PROMPT]S[/SYSTEM_PROMPT][AVAILABLE_TOOLS]" + tools + `[/AVAILABLE_TOOLS][INST]u[/INST] [TOOL_CALLS]ls[ARGS]{"a": 1}</s>[TOOL_RESULTS]t[/TOOL_RESULTS]a`},
		"Relaxed":             {Relaxed, "uSu", nil, "[INST]u[/INST][SYSTEM_PROMPT]S[/SYSTEM_PROMPT][INST]u[/INST]"},
		"Nemo":                {MistralNemo, "Suau", ls, "[INST]u[/INST]a</s>[AVAILABLE_TOOLS]" + tools + "[/AVAILABLE_TOOLS][INST]S\n\nu[/INST]"},
		"Nemo's calls":        {MistralNemo, "u9t", nil, `[INST]u[/INST][TOOL_CALLS][{"name": "ls", "arguments": {"a": 1}, "id": "abcdefghi"}]</s>[TOOL_RESULTS]{"content": t, "call_id": "abcdefghi"}[/TOOL_RESULTS]`},
		"Gemma 2":             {Gemma2, "Suau", ls, "<start_of_turn>user\nS\nu<end_of_turn>\n<start_of_turn>model\na<end_of_turn>\n<start_of_turn>user\nu<end_of_turn>\n<start_of_turn>model\n"},
		"Gemma 2, system":     {Gemma2, "S", nil, "<start_of_turn>model\n"},
		"Gemma 3":             {Gemma3, "Su", ls, "<start_of_turn>user\nS\n\nu<end_of_turn>\n<start_of_turn>model\n"},
		"ChatML":              {ChatML, "Su9t", ls, "<|im_start|>system\nS\n\n<tools>\n" + tools + "\n</tools><|im_end|>\n<|im_start|>user\nu<|im_end|>\n<|im_start|>assistant\n <tool_call>\n" + `{"name": "ls", "arguments": {"a": 1}}` + "\n</tool_call><|im_end|>\n<|im_start|>user\n<tool_response>\nt\n</tool_response><|im_end|>\n<|im_start|>assistant\n"},
		"ChatML, without any": {ChatML, "Su", nil, "<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nu<|im_end|>\n<|im_start|>assistant\n"},
	} {
		t.Run(name, func(t *testing.T) {
			prompt, err := completionRequest{Messages: historyOf(c.history), Tools: c.tools}.prompt(c.template)
			require.NoError(t, err)
			assert.Equal(t, begin+c.want, prompt)
		})
	}
}

func TestSpaced(t *testing.T) {
	for compact, want := range map[string]string{
		`{"a":[1,2],"b":"c,d:\"e,f"}`: `{"a": [1, 2], "b": "c,d:\"e,f"}`,
		`{ "a" : 1 }`:                 `{"a": 1}`,
		`"\\",`:                       `"\\",`,
		"no JSON, at all":             "no JSON, at all",
	} {
		assert.Equal(t, want, spaced(compact))
	}
}

func TestTemplateOf(t *testing.T) {
	strict, err := os.ReadFile("../../runtime-agent/localai/testdata/strict.jinja")
	require.NoError(t, err)
	for jinja, want := range map[string]Template{
		string(strict): Devstral,
		"":             Relaxed,
		"{% for message in messages %}[INST]{{ message['content'] }}[/INST]{% endfor %}":       Relaxed,
		"{{ raise_exception('Tool call IDs should be alphanumeric strings with length 9!') }}": MistralNemo,
		"{{ raise_exception('System role not supported') }}<start_of_turn>":                    Gemma2,
		"<start_of_turn>": Gemma3,
		"{{ raise_exception('No user query found in messages.') }}<|im_start|>": Qwen35,
		"<|im_start|>": ChatML,
	} {
		assert.Equal(t, want, TemplateOf(jinja), jinja)
	}
}

// The errors that stand for all: not streamed with a status of their own, streamed as an event.
func TestRefusedHistories(t *testing.T) {
	server := NewServer(t, Options{Models: []Model{tiny}})
	for name, c := range map[string]struct{ messages, want string }{
		"by the template": {`{"role":"user","content":"a"},{"role":"user","content":"b"}`,
			`rpc error: code = InvalidArgument desc = \n------------\nWhile executing CallExpression at line 1, column 1 in source:\n...\nError: Jinja Exception: After the optional system message, conversation roles must alternate user and assistant roles except for tool calls and results.`},
		"an assistant message after the last one": {`{"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"assistant","content":"c"}`,
			`rpc error: code = InvalidArgument desc = Cannot have 2 or more assistant messages at the end of the list.`},
		"arguments that are none": {`{"role":"assistant","tool_calls":[{"id":"x","type":"function","function":{"name":"ls","arguments":""}}]},{"role":"tool","tool_call_id":"x","content":"c"}`,
			`rpc error: code = InvalidArgument desc = Failed to parse tool call arguments as JSON: [json.exception.parse_error.101] parse error at line 1, column 1: attempting to parse an empty input; check that your input string or stream contains the expected JSON`},
		"a call without a type": {`{"role":"assistant","tool_calls":[{"id":"x","function":{"name":"ls","arguments":"{}"}}]},{"role":"tool","tool_call_id":"x","content":"c"}`,
			`rpc error: code = InvalidArgument desc = Failed to parse messages: Unsupported tool call type: {\"index\":0,\"id\":\"x\",\"type\":\"\",\"function\":{\"name\":\"ls\",\"arguments\":\"{}\"}}`},
		"a call without a name": {`{"role":"assistant","tool_calls":[{"id":"x","type":"function","function":{"arguments":"{}"}}]},{"role":"tool","tool_call_id":"x","content":"c"}`,
			`rpc error: code = InvalidArgument desc = Failed to parse messages: Missing tool call name: {\"index\":0,\"id\":\"x\",\"type\":\"function\",\"function\":{\"arguments\":\"{}\"}}`},
		"an image": {`{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}]}`,
			`rpc error: code = InvalidArgument desc = image input is not supported - hint: if this is unexpected, you may need to provide the mmproj`},
	} {
		t.Run(name, func(t *testing.T) {
			status, answer := ask(t, server, `{"messages":[`+c.messages+`]}`)
			assert.Equal(t, http.StatusInternalServerError, status)
			assert.Equal(t, `{"error":{"code":500,"message":"`+c.want+`","type":""}}`+"\n", answer)
			status, answer = ask(t, server, `{"stream":true,"messages":[`+c.messages+`]}`)
			assert.Equal(t, http.StatusOK, status)
			assert.Equal(t, `data: {"error":{"code":"server_error","message":"`+c.want+`","type":"server_error"}}`+"\n\ndata: [DONE]\n\n", answer)
		})
	}
}

func TestRefusedTools(t *testing.T) {
	server := NewServer(t, Options{})
	for tools, want := range map[string]string{
		`"tools":[{"type":"web_search"}]`: `Failed to parse tools: Unsupported tool type: {\"type\":\"web_search\",\"function\":{\"name\":\"\",\"description\":\"\",\"strict\":false,\"parameters\":null}}; tools = [\n  {\n    \"type\": \"web_search\",`,
		lsTool + `,"tool_choice":"ls"`:    "Invalid tool_choice: ls",
	} {
		status, answer := ask(t, server, `{"messages":[{"role":"user","content":"a"}],`+tools+`}`)
		assert.Equal(t, http.StatusInternalServerError, status)
		assert.Contains(t, answer, `"message":"rpc error: code = InvalidArgument desc = `+want)
	}
}

func TestLongestRun(t *testing.T) {
	for prompt, want := range map[string]int{"": 0, "abc": 1, "abbbc": 3, "xaaaaa": 5} {
		assert.Equal(t, want, longestRun(prompt), prompt)
	}
}
