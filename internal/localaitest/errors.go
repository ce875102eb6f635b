package localaitest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
)

// httpError is an error response with LocalAI's fields.
type httpError struct {
	Status  int
	Message string
	Type    string
	// RetryAfter, in seconds, is sent as a header unless it is zero.
	RetryAfter int
	// NoCode omits the status from the body.
	NoCode bool
}

func (e *httpError) Error() string { return e.Message }

const invalidRequest = "invalid_request_error"

func notFound() *httpError {
	return &httpError{Status: http.StatusNotFound, Message: "Resource not found"}
}

func modelNotFound(name string) *httpError {
	message := fmt.Sprintf("model %q not found. To see available models, call GET /v1/models", name)
	return &httpError{Status: http.StatusNotFound, Message: message, Type: invalidRequest}
}

func unauthorized() *httpError {
	return &httpError{Status: http.StatusUnauthorized, Message: "An authentication key is required", Type: invalidRequest}
}

// frameworkError is an error of the web framework (echo), whose text LocalAI passes on.
func frameworkError(status int, message string) *httpError {
	return &httpError{Status: status, Message: fmt.Sprintf("code=%d, message=%s", status, message)}
}

type errorBody struct {
	Error errorDetail `json:"error"`
}

type errorDetail struct {
	Code    int    `json:"code,omitempty"`
	Message string `json:"message"`
	Type    string `json:"type"`
}

func writeError(w http.ResponseWriter, e *httpError) {
	if e.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(e.RetryAfter))
	}
	detail := errorDetail{Code: e.Status, Message: e.Message, Type: e.Type}
	if e.NoCode {
		detail.Code = 0
	}
	writeJSON(w, e.Status, errorBody{detail})
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	// An error here means that the client is gone.
	_ = encodeJSON(w, body)
}

// encodeJSON escapes <, > and &, as LocalAI does.
func encodeJSON(w io.Writer, body any) error { return json.NewEncoder(w).Encode(body) }
