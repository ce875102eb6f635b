// Package sse reads and writes server-sent events, the format of streamed answers
// (https://html.spec.whatwg.org/multipage/server-sent-events.html).
package sse

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// MaxEvent is the size in bytes of the largest event that Reader returns. The engine sends the
// arguments of a tool call, a whole file perhaps, in one event.
const MaxEvent = 16 << 20

// ErrTooLarge is returned for an event of more than MaxEvent bytes.
var ErrTooLarge = fmt.Errorf("an event of the stream is larger than %d bytes", MaxEvent)

// Event is one event as it was read.
type Event struct {
	// Raw is the event with the empty line that ends it, byte for byte.
	Raw []byte
	// Data is what its data lines say; nil if it has none, as a comment has not.
	Data []byte
}

// Reader reads events.
type Reader struct {
	source *bufio.Reader
	raw    []byte
}

// NewReader returns a reader of the events of source.
func NewReader(source io.Reader) *Reader { return &Reader{source: bufio.NewReader(source)} }

// Next returns the next event. At the end of the stream the error is io.EOF, or
// io.ErrUnexpectedEOF if it ends within an event.
func (r *Reader) Next() (Event, error) {
	r.raw = nil
	var data []byte
	for {
		line, err := r.line()
		switch {
		case errors.Is(err, io.EOF) && len(r.raw) > 0:
			return Event{}, io.ErrUnexpectedEOF
		case err != nil:
			return Event{}, err
		case len(line) == 0:
			return Event{Raw: r.raw, Data: data}, nil
		}
		if value, found := bytes.CutPrefix(line, []byte("data:")); found {
			data = appendLine(data, bytes.TrimPrefix(value, []byte(" ")))
		}
	}
}

// line adds a line to the event and returns it without its end.
func (r *Reader) line() ([]byte, error) {
	start := len(r.raw)
	for {
		part, err := r.source.ReadSlice('\n')
		r.raw = append(r.raw, part...)
		switch {
		case len(r.raw) > MaxEvent:
			return nil, ErrTooLarge
		case err == nil:
			return bytes.TrimSuffix(bytes.TrimSuffix(r.raw[start:], []byte("\n")), []byte("\r")), nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		}
	}
}

// appendLine joins the data lines of one event, of which there is one as a rule.
func appendLine(data, line []byte) []byte {
	if data == nil {
		return append(make([]byte, 0, len(line)), line...)
	}
	return append(append(data, '\n'), line...)
}

// Comment returns a comment, which every reader of events ignores. text must be one line.
func Comment(text string) []byte { return fmt.Appendf(nil, ": %s\n\n", text) }

// End returns the event that ends a stream of OpenAI's API.
func End() []byte { return []byte("data: [DONE]\n\n") }

// Data returns an event without a name whose data is value in JSON, as Chat Completions has
// them.
func Data(value any) []byte { return Named("", value) }

// Named returns an event with a name whose data is value in JSON, as Responses and Messages have
// them.
func Named(name string, value any) []byte {
	var out bytes.Buffer
	if name != "" {
		fmt.Fprintf(&out, "event: %s\n", name)
	}
	out.WriteString("data: ")
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		panic(err) // a mistake in the program: its values can be encoded
	}
	out.WriteByte('\n') // Encode has ended the line
	return out.Bytes()
}
