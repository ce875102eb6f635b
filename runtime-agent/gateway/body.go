package gateway

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/failure"
)

// readBody reads the body of a request into memory of its size.
func readBody(w http.ResponseWriter, r *http.Request) ([]byte, *failure.Error) {
	var body bytes.Buffer
	body.Grow(int(min(max(r.ContentLength, 0), appliance.BodyLimit)) + bytes.MinRead)
	_, err := body.ReadFrom(http.MaxBytesReader(w, r.Body, appliance.BodyLimit))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, &failure.Error{
			Status: http.StatusRequestEntityTooLarge, Type: failure.InvalidRequest, Code: "request_too_large",
			Message: fmt.Sprintf("The request is larger than %d MB.", appliance.BodyLimit/1_000_000),
		}
	case err != nil:
		return nil, failure.Invalid("", "The request could not be read: %v.", err)
	}
	return body.Bytes(), nil
}

// span is a value in JSON. Decoded with Unmarshal it is a part of the body, and no copy: a prompt
// may be many megabytes.
type span []byte

// UnmarshalJSON keeps data, which is a part of the slice that Unmarshal was given.
func (s *span) UnmarshalJSON(data []byte) error {
	*s = data
	return nil
}

// object is the body of a request by its fields.
type object map[string]span

func parse(body []byte) (object, *failure.Error) {
	var fields object
	if err := json.Unmarshal(body, &fields); err != nil {
		return nil, failure.Invalid("", "The request is not a JSON object: %v.", err)
	}
	if fields == nil {
		return nil, failure.Invalid("", "The request is not a JSON object: it is null.")
	}
	return fields, nil
}

// decode reads a field into value. A field that is missing or null leaves it.
func (o object) decode(field string, value any) *failure.Error {
	raw, found := o[field]
	if !found {
		return nil
	}
	if err := json.Unmarshal(raw, value); err != nil {
		return failure.Invalid(field, "%s is wrong: %v.", field, err)
	}
	return nil
}

// set gives a field a value.
func (o object) set(field string, value any) {
	encoded, err := json.Marshal(value)
	if err != nil {
		panic(err) // a mistake in the program: its values can be encoded
	}
	o[field] = encoded
}

// reader returns what reads the object in JSON, as often as it is called, and its size, without copying
// its values.
func (o object) reader() (func() io.Reader, int64) {
	names := make([]string, 0, len(o))
	for name := range o {
		names = append(names, name)
	}
	slices.Sort(names)
	var size int64
	var parts [][]byte
	add := func(part []byte) {
		size += int64(len(part))
		parts = append(parts, part)
	}
	for i, name := range names {
		separator := ","
		if i == 0 {
			separator = "{"
		}
		quoted, _ := json.Marshal(name) // a string can always be encoded
		add([]byte(separator + string(quoted) + ":"))
		add(o[name])
	}
	if len(names) == 0 {
		add([]byte("{"))
	}
	add([]byte("}"))
	return func() io.Reader {
		readers := make([]io.Reader, len(parts))
		for i, part := range parts {
			readers[i] = bytes.NewReader(part)
		}
		return io.MultiReader(readers...)
	}, size
}

// textOf returns the text of a prompt of /v1/completions: a string, or a list of one.
func textOf(prompt []byte) (string, bool) {
	var one string
	if json.Unmarshal(prompt, &one) == nil {
		return one, true
	}
	var several []string
	if json.Unmarshal(prompt, &several) == nil && len(several) == 1 {
		return several[0], true
	}
	return "", false
}
