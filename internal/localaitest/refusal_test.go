package localaitest

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// What coding agents send and the chat template of Devstral Small 2 refuses.
var refusedHistories = map[string]struct{ body, want string }{
	"two user messages": {
		`{"max_tokens":8,"messages":[{"role":"user","content":"one"},{"role":"user","content":"two"}]}`, "must alternate",
	},
	"a user message after the result of a tool": {
		`{"max_tokens":8,"tools":[{"type":"function","function":{"name":"ls","parameters":{"type":"object","properties":{}}}}],"messages":[{"role":"user","content":"list"},{"role":"assistant","content":null,"tool_calls":[{"id":"abcdefghi","type":"function","function":{"name":"ls","arguments":"{}"}}]},{"role":"tool","tool_call_id":"abcdefghi","content":"a.go"},{"role":"user","content":"stop, do b first"}]}`,
		"must alternate",
	},
	"an assistant message first": {
		`{"max_tokens":8,"messages":[{"role":"assistant","content":"summary"},{"role":"user","content":"go on"}]}`, "must alternate",
	},
	"a system message later": {
		`{"max_tokens":8,"messages":[{"role":"user","content":"one"},{"role":"system","content":"two"}]}`, "tool roles are supported, got system.",
	},
	"a second developer message": {
		`{"max_tokens":8,"messages":[{"role":"developer","content":"one"},{"role":"developer","content":"two"},{"role":"user","content":"three"}]}`, "tool roles are supported, got system.",
	},
}

func TestHistoriesThatAStrictTemplateRefuses(t *testing.T) {
	strict := NewServer(t, Options{Models: []Model{tiny}})
	lenient := tiny
	lenient.Template = Relaxed
	relaxed := NewServer(t, Options{Models: []Model{lenient}})
	for name, history := range refusedHistories {
		t.Run(name, func(t *testing.T) {
			request := transcript{method: http.MethodPost, path: pathChat, header: http.Header{"Content-Type": {"application/json"}}, requestBody: history.body}
			response, body := play(t, strict, request)
			assert.Equal(t, http.StatusInternalServerError, response.StatusCode)
			assert.Contains(t, body, history.want)
			response, body = play(t, relaxed, request)
			assert.Equal(t, http.StatusOK, response.StatusCode, body)

			request.requestBody = strings.Replace(history.body, "{", `{"stream":true,`, 1)
			response, body = play(t, strict, request)
			assert.Equal(t, http.StatusOK, response.StatusCode, "the error comes in the stream")
			assert.Regexp(t, `data: \{"error":\{"code":"server_error","message":"rpc error: [^\n]*`+history.want, body)
			_, body = play(t, relaxed, request)
			assert.NotContains(t, body, `"error"`)
			assert.Contains(t, body, `"finish_reason":"length"`)
		})
	}
}
