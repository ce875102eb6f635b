package history

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What each template's rules are, by the texts that templates raise.
func TestRulesOf(t *testing.T) {
	const tools = "{{ tools }} reasoning_content "
	for name, tt := range map[string]struct {
		template string
		want     Rules
	}{
		"nothing is refused":     {tools, Rules{}},
		"no tools, no thoughts":  {"", Rules{NoTools: true, NoThoughts: true}},
		"Devstral Small 2":       {tools + `raise_exception('After the optional system message, conversation roles must alternate user and assistant roles except for tool calls and results.')`, Rules{Alternate: true, SystemFirst: true, User: true, CallFirst: true}},
		"the same, relaxed":      {tools + `raise_exception('Only user, assistant and tool roles are supported, got ' + message['role'] + '.') raise_exception('Only text, image and image_url chunks are supported in user message content.')`, Rules{}},
		"Mistral's ids":          {tools + `raise_exception("Tool call IDs should be alphanumeric strings with length 9!")`, Rules{CallIDs: 9}},
		"Qwen 3.5":               {tools + `raise_exception('System message must be at the beginning.') raise_exception('No user query found in messages.') raise_exception('Unexpected item type in content.')`, Rules{SystemFirst: true, User: true}},
		"Llama 3":                {tools + `raise_exception("This model only supports single tool-calls at once!") raise_exception("Cannot put tools in the first user message when there's no first user message!")`, Rules{OneCall: true, User: true}},
		"gpt-oss":                {tools + `raise_exception("Message has tool role, but there was no previous assistant message with a tool call!") raise_exception("Cannot pass both content and thinking in an assistant message with tool calls!")`, Rules{CallFirst: true, NoThoughts: true}},
		"something unknown":      {tools + `raise_exception("Today is a holiday!")`, strict},
		"Gemma 2":                {`raise_exception('System role not supported') raise_exception('Conversation roles must alternate user/assistant/user/assistant/...')`, Rules{Alternate: true, SystemFirst: true, User: true, CallFirst: true, NoTools: true, NoThoughts: true}},
		"an apostrophe, escaped": {tools + `raise_exception( 'Only a and b roles are supported' )`, Rules{}},
	} {
		assert.Equal(t, tt.want, Of(tt.template), name)
	}
}

// What agents send, and what a model gets: m is written as role:content, and calls as ids in
// parentheses.
func TestNormalize(t *testing.T) {
	turns := Rules{Alternate: true, SystemFirst: true, User: true, CallFirst: true}
	for name, tt := range map[string]struct {
		rules      Rules
		sent, want string
	}{
		"nothing to do":            {Rules{}, "system:s user:u user:v system:t assistant:", "system:s user:u user:v system:t assistant:"},
		"two answers at the end":   {Rules{}, "user:u assistant:a assistant:b", "user:u assistant:a\n\nb"},
		"developer":                {Rules{}, "developer:d user:u", "system:d user:u"},
		"two of the user":          {turns, "user:u user:v", "user:u\n\nv"},
		"Codex":                    {turns, "developer:d developer:e user:u user:v", "system:d\n\ne user:u\n\nv"},
		"Claude Code":              {turns, "system:s user:u system:t assistant:(a) tool:r(a)", "system:s user:u\n\nt assistant:(a) tool:r(a)"},
		"after an interruption":    {turns, "user:u assistant:(a) tool:r(a) user:v", "user:u assistant:(a) tool:r(a) assistant:OK. user:v"},
		"a call without a result":  {turns, "user:u assistant:(a) user:v", "user:u assistant:(a) assistant:OK. user:v"},
		"assistant first":          {turns, "assistant:a user:u", "user:Continue. assistant:a user:u"},
		"system, then assistant":   {turns, "system:s assistant:a", "system:s user:Continue. assistant:a"},
		"system alone":             {turns, "system:s", "system:s user:Continue."},
		"empty messages":           {turns, "user:u assistant: user:v", "user:u\n\nv"},
		"nothing but emptiness":    {turns, "user:", "user:Continue."},
		"two answers":              {turns, "user:u assistant:a assistant:b(c) tool:r(c)", "user:u assistant:a\n\nb(c) tool:r(c)"},
		"results out of order":     {turns, "user:u assistant:(a)(b) tool:r(b) tool:s(a)", "user:u assistant:(a)(b) tool:r(b) tool:s(a)"},
		"a result that comes late": {turns, "user:u assistant:(a) user:v tool:r(a)", "user:u assistant:(a) tool:r(a) assistant:OK. user:v"},
		"a result of nothing":      {turns, "user:u tool:r(z)", "user:u\n\nResult of a tool call:\nr"},
		"ids that come again":      {turns, "user:u assistant:(a) tool:r(a) assistant:(a) tool:s(a)", "user:u assistant:(a) tool:r(a) assistant:(a) tool:s(a)"},
		"one call at a time":       {Rules{OneCall: true}, "user:u assistant:x(a)(b) tool:r(a) tool:s(b)", "user:u assistant:x(a) tool:r(a) assistant:(b) tool:s(b)"},
		"a result of no call":      {Rules{OneCall: true}, "user:u assistant:(a)(b) tool:r(a) tool:s(z) tool:t(b)", "user:u assistant:(a) tool:r(a) assistant:(b) tool:t(b) user:Result of a tool call:\ns"},
		"two calls of one id":      {Rules{OneCall: true}, "user:u assistant:(a)(a) tool:r(a) tool:s(a)", "user:u assistant:(a) tool:r(a) assistant:(a) tool:s(a)"},
		"no tools":                 {Rules{NoTools: true}, "user:u assistant:x(a) tool:r(a)", "user:u assistant:x\nI call the tool f with {}. user:Result of a tool call:\nr"},
		"short ids":                {Rules{CallIDs: 9}, "user:u assistant:(call_1) tool:r(call_1)", "user:u assistant:(OQMW7ZZOJ) tool:r(OQMW7ZZOJ)"},
		"ids that are short":       {Rules{CallIDs: 9}, "user:u assistant:(abcdefghi) tool:r(abcdefghi)", "user:u assistant:(abcdefghi) tool:r(abcdefghi)"},
		"ids that are missing":     {Rules{}, "user:u assistant:()() tool:r() tool:s()", "user:u assistant:(call_1_0)(call_1_1) tool:r(call_1_0) tool:s(call_1_1)"},
	} {
		t.Run(name, func(t *testing.T) {
			got, failed := tt.rules.Normalize(parse(t, tt.sent), Whole)
			require.Nil(t, failed)
			assert.Equal(t, tt.want, show(t, got.Messages))
			assert.Equal(t, tt.want != tt.sent, got.Changed)
		})
	}
}

// parse writes a history of TestNormalize in JSON.
func parse(t testing.TB, text string) []json.RawMessage {
	t.Helper()
	var all []json.RawMessage
	for one := range strings.FieldsSeq(text) {
		role, rest, _ := strings.Cut(one, ":")
		content, ids, called := strings.Cut(rest, "(")
		m := map[string]any{"role": role, "content": content}
		if called {
			names := strings.Split(strings.TrimSuffix(ids, ")"), ")(")
			if role == "tool" {
				m["tool_call_id"] = names[0]
			} else {
				m["tool_calls"] = calls(names)
			}
		}
		raw, err := json.Marshal(m)
		require.NoError(t, err)
		all = append(all, raw)
	}
	return all
}

func calls(names []string) []any {
	var all []any
	for _, name := range names {
		all = append(all, map[string]any{"id": name, "type": "function", "function": map[string]any{"name": "f", "arguments": "{}"}})
	}
	return all
}

func show(t testing.TB, all []json.RawMessage) string {
	t.Helper()
	var shown []string
	for i, raw := range all {
		m, failed := read(raw, i)
		require.Nil(t, failed, string(raw))
		one := m.role + ":" + m.text
		for _, call := range m.calls {
			one += "(" + call.ID + ")"
		}
		if m.role == "tool" {
			one += "(" + m.callID + ")"
		}
		shown = append(shown, one)
	}
	return strings.Join(shown, " ")
}

// What OpenAI's API accepts in a message, and how the engine gets it.
func TestMessages(t *testing.T) {
	for name, tt := range map[string]struct{ sent, want string }{
		"as it is":                        {`{"role":"user","content":"a","name":"x"}`, `{"role":"user","content":"a","name":"x"}`},
		"parts":                           {`{"role":"user","content":[{"type":"text","text":"a","cache_control":{}}]}`, `{"role":"user","content":[{"type":"text","text":"a","cache_control":{}}]}`},
		"null":                            {`{"role":"assistant","content":null}`, `{"role":"assistant","content":null}`},
		"missing":                         {`{"role":"user"}`, `{"role":"user"}`},
		"refusal":                         {`{"role":"assistant","content":null,"refusal":"No."}`, `{"role":"assistant","content":"No."}`},
		"arguments missing":               {`{"role":"assistant","tool_calls":[{"id":"a","type":"function","function":{"name":"f"}}]}`, called(`{}`)},
		"arguments empty":                 {`{"role":"assistant","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":""}}]}`, called(`{}`)},
		"arguments null":                  {`{"role":"assistant","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":null}}]}`, called(`{}`)},
		"arguments of an object":          {`{"role":"assistant","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":{"x":1}}}]}`, called(`{"x":1}`)},
		"arguments cut":                   {`{"role":"assistant","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{\"x\":"}}]}`, called(`{"arguments":"{\"x\":"}`)},
		"arguments with half a character": {`{"role":"assistant","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{\"x\":\"\\ud83d\"}"}}]}`, called("{\"x\":\"\ufffd\"}")},
		"arguments with a large number":   {`{"role":"assistant","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{\"x\":1e999}"}}]}`, called(`{"arguments":"{\"x\":1e999}"}`)},
		"arguments of a list":             {`{"role":"assistant","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"[1]"}}]}`, called(`{"arguments":"[1]"}`)},
		"type missing":                    {`{"role":"assistant","tool_calls":[{"id":"a","function":{"name":"f","arguments":"{}"}}]}`, called(`{}`)},
		"a function call":                 {`{"role":"assistant","content":null,"function_call":{"name":"a","arguments":"{}"}}`, `{"role":"assistant","content":"","tool_calls":[{"id":"a","type":"function","function":{"name":"a","arguments":"{}"}}]}`},
		"its result":                      {`{"role":"function","name":"a","content":"r"}`, `{"role":"tool","content":"r","tool_call_id":"a"}`},
	} {
		t.Run(name, func(t *testing.T) {
			got, failed := Rules{}.Normalize([]json.RawMessage{[]byte(tt.sent)}, Whole)
			require.Nil(t, failed)
			assert.JSONEq(t, tt.want, string(got.Messages[0]))
			assert.Equal(t, tt.want != tt.sent, got.Changed)
		})
	}
}

func called(arguments string) string {
	text, _ := json.Marshal(arguments)
	return `{"role":"assistant","content":"","tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":` + string(text) + `}}]}`
}

func TestThoughtsAreLeftOut(t *testing.T) {
	sent := []json.RawMessage{[]byte(`{"role":"assistant","content":"a","reasoning_content":"hm"}`)}
	got, failed := Rules{NoThoughts: true}.Normalize(sent, Whole)
	require.Nil(t, failed)
	assert.JSONEq(t, `{"role":"assistant","content":"a"}`, string(got.Messages[0]))
	got, failed = Rules{}.Normalize(sent, Whole)
	require.Nil(t, failed)
	assert.Equal(t, string(sent[0]), string(got.Messages[0]))
}

// The engine reads only what is new in a prompt, if the rest is as it was: what a history becomes
// must be how the next one begins. What the user says next may be joined to the last message.
func TestTheNextTurnBeginsAsThisOne(t *testing.T) {
	turn := "system:s user:u system:t assistant:(a)(b) tool:r(a) tool:r(b) assistant:x user:v assistant:(c) tool:q(c) user:w assistant:y"
	for _, rules := range []Rules{{}, strict, {CallIDs: 9, Alternate: true}, {SystemFirst: true}, {NoTools: true, Alternate: true}} {
		words := strings.Fields(turn)
		var before []json.RawMessage
		for n := 1; n <= len(words); n++ {
			got, failed := rules.Normalize(parse(t, strings.Join(words[:n], " ")), Whole)
			require.Nil(t, failed)
			for i := range min(len(before), len(got.Messages)) - 1 {
				assert.Equal(t, string(before[i]), string(got.Messages[i]), "%+v, message %d of %d", rules, i, n)
			}
			before = got.Messages
		}
	}
}
