package failure

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// restart is about how long the engine takes to restart with the model in the page cache
// (measured: 2.3 s to 4.3 s, and the load on top).
const restart = 10 * time.Second

// overflow is what llama.cpp says of a prompt that is too long.
var overflow = regexp.MustCompile(`request \((\d+) tokens\) exceeds the available context size \((\d+) tokens\)`)

// IsOverflow reports whether a text is the engine's error about a prompt that is too long, which
// LocalAI v4.9.0 sends as the first text of a streamed answer.
func IsOverflow(text string) bool {
	found := overflow.FindStringIndex(text)
	return found != nil && found[0] == 0
}

// TooLong is the error for a prompt of more tokens than it may have. The words are those by which
// coding agents notice that they should summarize the conversation and go on:
//
//   - "maximum context length" and "reduce the length of the messages": Continue 1.5.47
//     (src/util/exponentialBackoff.ts), Qwen Code 0.24.4 (core, context-length-error), LiteLLM for
//     aider (exception_mapping_utils.py), pi 0.73.1 and OpenCode 1.18.33 (utils/overflow);
//   - "is N tokens ... resulted in M tokens": Qwen Code reads both numbers, the limit first;
//   - the code: OpenCode, Cline 3.0.65, Codex 0.169.0.
//
// None of the words "rate limit", "too many requests" and "per minute" may occur: they are looked
// for first.
func TooLong(prompt, limit int) *Error {
	return &Error{
		Status: http.StatusBadRequest, Type: InvalidRequest, Code: ContextLengthExceeded, Param: "messages",
		Message: fmt.Sprintf("This model's maximum context length is %d tokens. However, your messages resulted in %d tokens. "+
			"Please reduce the length of the messages.", limit, prompt),
		Prompt: prompt, Limit: limit,
	}
}

// Errors that are worth another attempt begin with "Server error": in a stream, pi 0.73.1 goes by
// that and not by type or code.

// Unavailable is the error for an engine that does not answer: it loads the model, or restarts.
func Unavailable(cause error) *Error {
	return &Error{
		Status: http.StatusServiceUnavailable, Type: Server, Code: "model_unavailable",
		Message:    "Server error: the model is loading or restarting. Try again in a few seconds.",
		RetryAfter: restart, Cause: cause,
	}
}

// Cut is the error for an answer that ends in the middle.
func Cut(cause error) *Error {
	return &Error{
		Status: http.StatusServiceUnavailable, Type: Server, Code: "answer_cut",
		Message:    "Server error: the model stopped in the middle of its answer and restarts. Send the request again in a few seconds.",
		RetryAfter: restart, Cause: cause,
	}
}

// Internal is the error for what should not happen.
func Internal(cause error) *Error {
	return &Error{
		Status: http.StatusInternalServerError, Type: Server, Code: "internal_error",
		Message: "Server error: the appliance could not handle the request. Its operator finds the reason in the journal of the gateway.",
		Cause:   cause,
	}
}

// Invalid is the error for a request that is wrong in a field, "" if it is wrong as a whole.
func Invalid(field, format string, args ...any) *Error {
	return &Error{
		Status: http.StatusBadRequest, Type: InvalidRequest, Code: "invalid_value", Param: field,
		Message: fmt.Sprintf(format, args...),
	}
}

// OfEngine is the error that the engine gives with a status other than 200.
func OfEngine(status int, body []byte) *Error {
	var said struct {
		Error struct {
			Message string `json:"message"`
			Type    string `json:"type"`
		} `json:"error"`
	}
	message := string(body)
	if json.Unmarshal(body, &said) == nil && said.Error.Message != "" {
		message = said.Error.Message
	}
	cause := fmt.Errorf("the engine answered %d: %s", status, shortened(message))
	switch {
	case overflow.MatchString(message):
		return tooLongFor(message)
	case said.Error.Type == "admission_rejected", unreachable(message):
		return Unavailable(cause)
	}
	if failed := ofRequest(message, cause); failed != nil {
		return failed
	}
	switch status {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity:
		return refused(status, message, cause)
	}
	return Internal(cause)
}

// OfEngineStream is the error that the engine gives in a stream.
func OfEngineStream(message string) *Error {
	cause := fmt.Errorf("the engine ended its stream: %s", shortened(message))
	switch {
	case overflow.MatchString(message):
		return tooLongFor(message)
	case strings.Contains(message, deadBackend):
		return Cut(cause)
	case unreachable(message):
		return Unavailable(cause)
	}
	if failed := ofRequest(message, cause); failed != nil {
		return failed
	}
	return Internal(cause)
}

// refusedByTemplate finds why the model's chat template refuses a history.
var refusedByTemplate = regexp.MustCompile(`Jinja Exception: (.*)`)

// ofRequest is the error for a request that the backend refuses, whatever status LocalAI gives it:
// nil if the message is about something else.
func ofRequest(message string, cause error) *Error {
	var failed *Error
	found := refusedByTemplate.FindStringSubmatch(message)
	switch {
	case found != nil:
		// The gateway should have changed the history.
		failed = Invalid("messages", "The model's chat template refuses this conversation: %s", found[1])
	case strings.Contains(message, "Failed to parse tool call arguments"):
		failed = Invalid("messages", "The arguments of a tool call in messages are not JSON that the model can read.")
	case strings.Contains(message, "JSON schema conversion failed"), strings.Contains(message, "failed to parse grammar"):
		failed = Invalid("tools", "The parameters of a tool, or the format of the answer, are a JSON schema that the model cannot follow. Leave out what is not type, properties, required, items and enum.")
	default:
		return nil
	}
	failed.Cause = cause
	return failed
}

// longest is how much of a message of the engine is logged, in bytes: it may quote a template.
const longest = 500

func shortened(message string) string {
	return strings.ToValidUTF8(message[:min(len(message), longest)], "")
}

// deadBackend is what gRPC says of a backend that ended while it was answering.
const deadBackend = "error reading from server"

// unreachable reports whether a message is about a backend that is dead, or not there yet.
func unreachable(message string) bool {
	for _, sign := range []string{"code = Unavailable", "connection refused", deadBackend, "failed to load model", "could not load model"} {
		if strings.Contains(message, sign) {
			return true
		}
	}
	return false
}

func tooLongFor(message string) *Error {
	found := overflow.FindStringSubmatch(message)
	prompt, _ := strconv.Atoi(found[1])
	limit, _ := strconv.Atoi(found[2])
	return TooLong(prompt, limit)
}

// wrongField finds the field of a wrong type in what LocalAI says, with names of its own program.
var wrongField = regexp.MustCompile(`field=(?:\w+\.)*(\w+)`)

// refused is the error for a request that LocalAI cannot read.
func refused(status int, message string, cause error) *Error {
	failed := &Error{
		Status: status, Type: InvalidRequest, Code: "invalid_request", Cause: cause,
		Message: "The model cannot answer this request: a field has a wrong type or value.",
	}
	if found := wrongField.FindStringSubmatch(message); found != nil {
		failed.Param = found[1]
		failed.Message = found[1] + " has a wrong type or value."
	}
	return failed
}
