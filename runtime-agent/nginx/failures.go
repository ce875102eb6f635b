package nginx

import (
	"encoding/json"
	"fmt"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
)

// Seconds for Retry-After. retryUnavailable is about how long the engine takes to restart
// with the model in the page cache (measured: 2.3 s to 4.3 s, and the load on top).
const (
	retryUnavailable  = 10
	retryUnauthorized = 5
)

// failure is an error nginx itself gives.
type failure struct {
	// Causes are nginx's own statuses, some of which are not HTTP's.
	Causes string
	// Status, Kind, Code and Message are the answer's.
	Status              int
	Kind, Code, Message string
	// Unparsed failures happen before nginx knows the path of the request. A named location
	// needs one, so these get an internal path.
	Unparsed bool
}

// A client that is too slow to send its request (408) gets no answer: nginx just closes the
// connection.
var failures = []failure{
	{"400 501 505", 400, "invalid_request_error", "bad_request",
		"The server cannot read this as an HTTP request.", true},
	{"494", 400, "invalid_request_error", "request_headers_too_large",
		"The headers of the request are too large.", true},
	{"497", 400, "invalid_request_error", "https_required",
		"This port speaks https. Use a URL that starts with https://.", true},
	{"401", 401, "authentication_error", "invalid_api_key",
		"Missing or wrong password or key. Send it as a Bearer token, as x-api-key, or as the password of HTTP Basic: the user is " +
			appliance.APIUser + ", or the name of the key.", false},
	{"404", 404, "invalid_request_error", "unknown_url", "This appliance has no such path. The base URL for OpenAI clients is its address with /v1, for Anthropic clients the address alone.", false},
	{"405", 405, "invalid_request_error", "method_not_allowed", "This path does not answer that method.", false},
	{"413", 413, "invalid_request_error", "request_too_large",
		fmt.Sprintf("The request is larger than %d MB.", appliance.BodyLimit/1_000_000), false},
	{"414", 414, "invalid_request_error", "url_too_long", "The URL is too long.", true},
	{"429", 429, "requests", "rate_limit_exceeded",
		"Too many requests from this address. Try again in a while.", false},
	{"500", 500, "server_error", "internal_error", "The appliance could not handle the request.", false},
	// nginx returns 502 when the gateway ends in the middle of a request.
	{"502 503", 503, "server_error", "model_unavailable",
		"The model is loading or restarting. Try again in a few seconds.", false},
	// The gateway hangs: it says itself, and sooner, that the engine does.
	{"504", 504, "server_error", "timeout",
		"The appliance did not answer in time. Try again in a while.", false},
}

// plain is the answer to what is sent without TLS and cannot be redirected.
var plain = failure{"", 400, "invalid_request_error", "https_required",
	"This port only redirects to https. Use a base URL that starts with https://. What was sent here was not encrypted, a password included.", false}

// noEmbeddings is the answer to programs that index code.
var noEmbeddings = failure{"", 404, "invalid_request_error", "unsupported",
	"This appliance computes no embeddings: its one model is for chat and code.", false}

// Location is where nginx finds the answer.
func (f failure) Location() string {
	if f.Unparsed {
		return "/copilot-error/" + f.Code
	}
	return "@copilot_" + f.Code
}

// Body is the answer in the format OpenAI's clients parse.
func (f failure) Body() string {
	body, _ := json.Marshal(map[string]any{
		"type":  "error", // for clients of Anthropic's API
		"error": map[string]any{"message": f.Message, "type": f.Kind, "param": nil, "code": f.Code},
	})
	return string(body)
}
