package localaitest

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const lsTool = `"tools":[{"type":"function","function":{"name":"ls","parameters":{"type":"object","properties":{"path":{"type":"string"}}}}}]`

// ask sends a chat and returns the status and the body of the answer.
func ask(t *testing.T, server *Server, body string) (int, string) {
	t.Helper()
	response, answer := play(t, server, transcript{
		method: http.MethodPost, path: pathChat, header: http.Header{"Content-Type": {"application/json"}}, requestBody: body,
	})
	return response.StatusCode, answer
}

var (
	anyID    = regexp.MustCompile(`"id":"[0-9a-f]{8}-[0-9a-f-]{27}"`)
	callID   = regexp.MustCompile(`"id":"[0-9a-f]{32}"`)
	anyStart = regexp.MustCompile(`"created":\d+`)
)

// constant replaces what differs from run to run.
func constant(answer string) string {
	answer = anyID.ReplaceAllString(answer, `"id":"ID"`)
	answer = callID.ReplaceAllString(answer, `"id":"CALL"`)
	return anyStart.ReplaceAllString(answer, `"created":1`)
}

func chunkOf(delta, reason string) string {
	return `data: {"created":1,"object":"chat.completion.chunk","id":"ID","model":"tiny","choices":[{"index":0,"finish_reason":` + reason + `,"delta":` + delta + `}]}` + "\n\n"
}

func TestAToolIsCalledOnRequest(t *testing.T) {
	server := NewServer(t, Options{Models: []Model{tiny}})
	asked := `"messages":[{"role":"system","content":"S"},{"role":"user","content":[{"type":"text","text":"hints"},{"type":"text","text":"<input>Call: ls {\"path\": \"/\"}</input>\nthank you"}]}]`

	_, answer := ask(t, server, `{"stream":true,`+asked+`,`+lsTool+`}`)
	assert.Equal(t,
		chunkOf(`{"role":"assistant","content":null,"tool_calls":[{"index":0,"id":"CALL","type":"function","function":{"name":"ls","arguments":""}}]}`, "null")+
			chunkOf(`{"role":"assistant","content":null,"tool_calls":[{"index":0,"id":"CALL","type":"function","function":{"arguments":"{\"path\": \"/\"}"}}]}`, "null")+
			chunkOf(`{"content":null}`, `"tool_calls"`)+"data: [DONE]\n\n",
		constant(answer))

	_, answer = ask(t, server, `{`+asked+`,`+lsTool+`}`)
	assert.Contains(t, constant(answer), `{"index":0,"finish_reason":"tool_calls","message":{"role":"assistant","content":"",`+
		`"tool_calls":[{"index":0,"id":"CALL","type":"function","function":{"name":"ls","arguments":"{\"path\": \"/\"}"}}]}}`)
}

func TestWhenAToolIsCalled(t *testing.T) {
	const (
		callAndSay = `{"role":"user","content":"Call: ls {}\nCall: cat {}\nSay: done"}`
		called     = `,{"role":"assistant","tool_calls":[{"id":"abcdefghi","type":"function","function":{"name":"ls","arguments":"{}"}}]},{"role":"tool","tool_call_id":"abcdefghi","content":"a.go"}`
	)
	for name, c := range map[string]struct {
		messages, more string
		template       Template
		want           string
	}{
		"asked":                      {callAndSay, lsTool, Devstral, `"name":"ls"`},
		"asked with ChatML":          {callAndSay, lsTool, ChatML, `"name":"ls"`},
		"asked before a hint":        {callAndSay + `,{"role":"system","content":"hint"}`, lsTool, Relaxed, `"name":"ls"`},
		"asked for two":              {callAndSay + called, lsTool, Devstral, `"name":"cat"`},
		"asked, and both were made":  {callAndSay + called + called, lsTool, Devstral, `"content":"done"`},
		"asked without tools":        {callAndSay, `"tools":[]`, Devstral, `"content":"done"`},
		"asked, but it must not":     {callAndSay, lsTool + `,"tool_choice":"none"`, Devstral, `"content":"done"`},
		"asked, but it cannot":       {callAndSay, lsTool, Gemma3, `"content":"done"`},
		"asked without arguments":    {`{"role":"user","content":"Call: ls\nSay: done"}`, lsTool, Devstral, `"content":"done"`},
		"asked earlier":              {callAndSay + called + called + `,{"role":"assistant","content":"done"},{"role":"user","content":"Say: yes"}`, lsTool, Devstral, `"content":"yes"`},
		"demanded":                   {`{"role":"user","content":"hi"}`, lsTool + `,"tool_choice":"required"`, Devstral, `"name":"ls","arguments":"{}"`},
		"demanded, whatever it says": {`{"role":"user","content":"hi"}`, lsTool + `,"tool_choice":{"type":"none"}`, Devstral, `"name":"ls","arguments":"{}"`},
	} {
		t.Run(name, func(t *testing.T) {
			model := tiny
			model.Template = c.template
			status, answer := ask(t, NewServer(t, Options{Models: []Model{model}}), `{"messages":[`+c.messages+`],`+c.more+`}`)
			require.Equal(t, http.StatusOK, status, answer)
			assert.Contains(t, answer, c.want)
		})
	}
}

// llama.cpp passes on what there is of a call (LocalAI's source; not recorded).
func TestACallThatIsCut(t *testing.T) {
	server := NewServer(t, Options{Models: []Model{tiny}})
	for limit, arguments := range map[string]string{
		"1": `{"a":`, "2": `{"a": "b`, "3": `{"a": "b c"}`, "9": `{"a": "b c"}`,
	} {
		status, answer := ask(t, server, `{"max_tokens":`+limit+`,"messages":[{"role":"user","content":"Call: ls {\"a\": \"b c\"}"}],`+lsTool+`}`)
		require.Equal(t, http.StatusOK, status)
		assert.Contains(t, answer, `"finish_reason":"tool_calls"`)
		assert.Contains(t, answer, `"arguments":"`+strings.ReplaceAll(arguments, `"`, `\"`)+`"}`)
	}
}

// What LocalAI streams when its own parser finds a call in the text: the text, the call with an id
// of the request, and the same call once more with another one.
func TestACallThatArrivesTwice(t *testing.T) {
	server := NewServer(t, Options{Models: []Model{tiny}})
	asked := `"messages":[{"role":"user","content":"Call twice: ls {\"path\":\"/\"}"}]`
	_, answer := ask(t, server, `{"stream":true,`+asked+`,`+lsTool+`}`)
	assert.JSONEq(t, `{"name": "ls", "arguments": {"path":"/"}}`, streamedText(strings.ReplaceAll(answer, `\\`, `\`)))
	var ids, arguments []string
	for _, event := range strings.Split(answer, "\n\n") {
		var chunk completion
		if json.Unmarshal([]byte(strings.TrimPrefix(event, "data: ")), &chunk) != nil || len(chunk.Choices) == 0 {
			continue
		}
		for _, call := range chunk.Choices[0].Delta.ToolCalls {
			ids = append(ids, strings.Replace(call.ID, chunk.ID, "X", 1))
			arguments = append(arguments, call.Function.Name+call.Function.Arguments)
		}
	}
	assert.Equal(t, []string{"X", "X-1", "X-1"}, ids)
	assert.Equal(t, []string{`ls{"path":"/"}`, "ls", `{"path":"/"}`}, arguments)
	assert.Contains(t, answer, `"finish_reason":"tool_calls"`)

	const call = `{"index":0,"id":"ID","type":"function","function":{"name":"ls","arguments":"{\"path\":\"/\"}"}}`
	_, answer = ask(t, server, `{`+asked+`,`+lsTool+`}`)
	assert.Contains(t, constant(answer), `"tool_calls":[`+call+`,`+call+`]`)
}

func TestAnswerThatIsTold(t *testing.T) {
	server := NewServer(t, Options{})
	for name, c := range map[string]struct{ request, text, reason string }{
		"whole":             {`"messages":[{"role":"user","content":"Say: two words"}]`, "two words", "stop"},
		"on a later line":   {`"messages":[{"role":"user","content":"<task>\nSay: two words"}]`, "two words", "stop"},
		"after a tag":       {`"messages":[{"role":"user","content":"<task>Say: two words"}]`, "two words", "stop"},
		"in a sentence":     {`"max_tokens":1,"messages":[{"role":"user","content":"He did Say: two words"}]`, " ", "length"},
		"cut":               {`"max_tokens":1,"messages":[{"role":"user","content":"Say: two words"}]`, "two", "length"},
		"cut by the alias":  {`"max_tokens":9,"max_completion_tokens":1,"messages":[{"role":"user","content":"Say: two words"}]`, "two", "length"},
		"as long as it may": {`"max_tokens":2,"messages":[{"role":"user","content":"Say: two words"}]`, "two words", "length"},
	} {
		t.Run(name, func(t *testing.T) {
			_, answer := ask(t, server, "{"+c.request+"}")
			assert.Contains(t, answer, `"finish_reason":"`+c.reason+`","message":{"role":"assistant","content":"`+c.text)
		})
	}
}
