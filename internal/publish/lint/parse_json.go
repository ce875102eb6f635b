package lint

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// maxDepth limits the nesting of values: no format checked here needs more than 8 levels.
const maxDepth = 32

var errTooDeep = fmt.Errorf("it is nested more than %d levels deep", maxDepth)

// jsonReader counts lines while it reads.
type jsonReader struct {
	decoder *json.Decoder
	content []byte
	// line is the line of the byte at offset.
	offset int
	line   int
}

// parseJSON parses one value; on an error it returns the line as well.
func parseJSON(content []byte) (*node, int, error) {
	r := &jsonReader{decoder: json.NewDecoder(bytes.NewReader(content)), content: content, line: 1}
	r.decoder.UseNumber()
	n, err := r.value(0)
	if err == nil {
		if _, err = r.decoder.Token(); errors.Is(err, io.EOF) {
			return n, 0, nil
		}
		err = errors.New("something follows the JSON value")
	}
	if wrong := (*json.SyntaxError)(nil); errors.As(err, &wrong) {
		r.moveTo(int(wrong.Offset))
	}
	return nil, r.line, err
}

func (r *jsonReader) value(depth int) (*node, error) {
	if depth > maxDepth {
		return nil, errTooDeep
	}
	token, err := r.token()
	if err != nil {
		return nil, err
	}
	n := &node{line: r.line}
	switch token := token.(type) {
	case json.Delim:
		n.kind = sequence
		if token == '{' {
			n.kind = mapping
		}
		return n, r.fill(n, depth)
	case string:
		n.text = token
	case json.Number:
		n.kind, n.text = number, token.String()
	case nil:
		n.kind, n.text = other, "null"
	default:
		n.kind, n.text = other, fmt.Sprint(token)
	}
	return n, nil
}

// fill reads the content of a mapping or a sequence, and its closing delimiter.
func (r *jsonReader) fill(n *node, depth int) error {
	for r.decoder.More() {
		if n.kind == sequence {
			item, err := r.value(depth + 1)
			if err != nil {
				return err
			}
			n.items = append(n.items, item)
			continue
		}
		key, err := r.token()
		if err != nil {
			return err
		}
		m := member{name: key.(string), line: r.line} // the decoder accepts only strings as keys
		if m.value, err = r.value(depth + 1); err != nil {
			return err
		}
		n.members = append(n.members, m)
	}
	_, err := r.token()
	return err
}

func (r *jsonReader) token() (json.Token, error) {
	token, err := r.decoder.Token()
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	r.moveTo(int(r.decoder.InputOffset()))
	return token, err
}

func (r *jsonReader) moveTo(offset int) {
	offset = min(offset, len(r.content))
	if offset > r.offset {
		r.line += bytes.Count(r.content[r.offset:offset], []byte("\n"))
		r.offset = offset
	}
}
