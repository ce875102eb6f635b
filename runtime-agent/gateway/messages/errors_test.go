package messages

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/failure"
)

func TestErrorTypes(t *testing.T) {
	for want, errs := range map[string][]failure.Error{
		"invalid_request_error": {
			{Status: http.StatusBadRequest}, {Status: http.StatusMethodNotAllowed}, {Status: http.StatusUnprocessableEntity},
			{Type: failure.InvalidRequest},
		},
		"authentication_error": {{Status: http.StatusUnauthorized}},
		"permission_error":     {{Status: http.StatusForbidden}},
		"not_found_error":      {{Status: http.StatusNotFound}},
		"request_too_large":    {{Status: http.StatusRequestEntityTooLarge}},
		"rate_limit_error":     {{Status: http.StatusTooManyRequests}, {Type: failure.RateLimit}},
		"timeout_error":        {{Status: http.StatusGatewayTimeout}, {Status: http.StatusRequestTimeout}},
		"overloaded_error":     {{Status: http.StatusServiceUnavailable}, {Status: 529}},
		"api_error":            {{Status: http.StatusInternalServerError}, {Status: http.StatusBadGateway}, {Type: failure.Server}, {}},
	} {
		for _, err := range errs {
			assert.Equal(t, want, errorType(&err), "%+v", err)
		}
	}
}

func TestErrorBody(t *testing.T) {
	assert.JSONEq(t, `{"type":"error","error":{"type":"rate_limit_error","message":"32 requests wait.","param":null,"code":"queue_full"}}`,
		string(ErrorBody(&failure.Error{Status: http.StatusTooManyRequests, Type: failure.RateLimit, Code: "queue_full", Message: "32 requests wait."})))
}

func TestContextOverflow(t *testing.T) {
	var body failure.Object
	require.NoError(t, json.Unmarshal(ErrorBody(&failure.Error{
		Status: http.StatusBadRequest, Type: failure.InvalidRequest, Code: failure.ContextLengthExceeded,
		Message: "This model's maximum context length is 65536 tokens.", Prompt: 70000, Limit: 65536,
	}), &body))
	assert.Equal(t, "invalid_request_error", body.Error.Type)
	// The pattern is Claude Code's.
	assert.Regexp(t, `^prompt is too long: \d+ tokens > \d+ maximum$`, body.Error.Message)
	assert.Equal(t, "prompt is too long: 70000 tokens > 65536 maximum", body.Error.Message)
}
