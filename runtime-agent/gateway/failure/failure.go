// Package failure holds the errors that clients of the gateway are told, in words and codes that
// they act on.
package failure

import (
	"encoding/json"
	"time"
)

// The types of errors, as OpenAI's API has them.
const (
	InvalidRequest = "invalid_request_error"
	Server         = "server_error"
	RateLimit      = "rate_limit_error"
)

// ContextLengthExceeded is the code of a prompt that is too long.
const ContextLengthExceeded = "context_length_exceeded"

// Error is what a client is told instead of an answer, or at the end of a part of one.
type Error struct {
	// Status is the HTTP status, unless the head of the answer is already sent.
	Status int
	// Type, Code and Message are those of OpenAI's error object; Param is the field of the
	// request that is wrong, "" if none is.
	Type, Code, Param, Message string
	// RetryAfter is when it makes sense to ask again, 0 if never or not known.
	RetryAfter time.Duration
	// Prompt and Limit are in tokens: how long the prompt is, and how long it may be. They are
	// set with ContextLengthExceeded alone.
	Prompt, Limit int
	// Cause is for the log: clients are not told.
	Cause error
}

func (e *Error) Error() string { return e.Message }

// Unwrap returns Cause.
func (e *Error) Unwrap() error { return e.Cause }

// Object is the error object in the format of OpenAI's API, with the "type" of Anthropic's
// (https://docs.anthropic.com/en/api/errors). OpenCode 1.18.33 wants it in streams, too.
type Object struct {
	Type  string `json:"type"`
	Error Detail `json:"error"`
}

// Detail is the inner part of an error object.
type Detail struct {
	Message string  `json:"message"`
	Type    string  `json:"type"`
	Param   *string `json:"param"`
	Code    *string `json:"code"`
	// Status is the HTTP status of an error in a stream, where there is no other place for it: Cline
	// 3.0.65 goes by it.
	Status int `json:"status,omitempty"`
}

// Object returns the error as OpenAI's clients parse it.
func (e *Error) Object() Object {
	return Object{Type: "error", Error: Detail{Message: e.Message, Type: e.Type, Param: orNull(e.Param), Code: orNull(e.Code)}}
}

// Body returns Object in JSON.
func (e *Error) Body() []byte {
	body, _ := json.Marshal(e.Object()) // strings can always be encoded
	return body
}

func orNull(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}
