package messages

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/failure"
)

// statusOverloaded is Anthropic's status for a server that has too much to do.
const statusOverloaded = 529

// ErrorBody returns the error object of Anthropic's API
// (https://docs.anthropic.com/en/api/errors), the body of an answer with the status of err.
func ErrorBody(err *failure.Error) []byte {
	encoded, _ := json.Marshal(errorObject(err)) // strings can always be encoded
	return encoded
}

func errorObject(err *failure.Error) failure.Object {
	object := err.Object()
	object.Type = "error"
	object.Error.Type = errorType(err)
	if err.Code == failure.ContextLengthExceeded {
		// Claude Code (2.1.328, in its binary) compacts the conversation if the message matches
		// ^prompt is too long: \d+ tokens > \d+ maximum$
		object.Error.Message = fmt.Sprintf("prompt is too long: %d tokens > %d maximum", err.Prompt, err.Limit)
	}
	return object
}

// errorType returns Anthropic's type for an error. One without a status, in mid-stream, has the
// type nearest to OpenAI's.
func errorType(err *failure.Error) string {
	switch status := err.Status; {
	case status == http.StatusUnauthorized:
		return "authentication_error"
	case status == http.StatusForbidden:
		return "permission_error"
	case status == http.StatusNotFound:
		return "not_found_error"
	case status == http.StatusRequestEntityTooLarge:
		return "request_too_large"
	case status == http.StatusTooManyRequests, status == 0 && err.Type == failure.RateLimit:
		return "rate_limit_error"
	case status == http.StatusRequestTimeout, status == http.StatusGatewayTimeout:
		return "timeout_error"
	case status == http.StatusServiceUnavailable, status == statusOverloaded:
		return "overloaded_error"
	case status >= 400 && status < 500, status == 0 && err.Type == failure.InvalidRequest:
		return "invalid_request_error"
	default:
		return "api_error"
	}
}
