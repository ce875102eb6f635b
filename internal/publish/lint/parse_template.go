package lint

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
)

// attribute is an attribute of a VM template: a name with a value, or with attributes of its
// own.
type attribute struct {
	name    string
	line    int
	value   string
	vector  bool
	members []attribute
}

// templateReader follows oned's own parser (template_parser.l, template_syntax.y).
type templateReader struct {
	rest []byte
	line int
}

// parseTemplate parses the plain syntax; on an error it returns the line as well.
func parseTemplate(content []byte) ([]attribute, int, error) {
	r := &templateReader{rest: content, line: 1}
	var attributes []attribute
	for {
		r.skipBlank(true)
		if len(r.rest) == 0 {
			return attributes, 0, nil
		}
		a, err := r.attribute(true)
		if err != nil {
			return nil, r.line, err
		}
		attributes = append(attributes, a)
	}
}

func (r *templateReader) attribute(top bool) (attribute, error) {
	a := attribute{line: r.line, name: r.word(isNameByte)}
	if a.name == "" {
		return a, fmt.Errorf("a name is expected, of letters, digits and _, not %q", r.ahead())
	}
	a.name = strings.ToUpper(a.name)
	r.skipBlank(false)
	if !r.take('=') {
		return a, fmt.Errorf("%s: an equals sign is expected, not %q", a.name, r.ahead())
	}
	r.skipBlank(false)
	var err error
	switch {
	case r.take('"'):
		a.value, err = r.quoted(a.name)
	case top && r.take('['):
		a.vector = true
		a.members, err = r.vector(a.name)
	default:
		// The value may be empty, up to the end of the line.
		a.value = r.word(isBareByte)
	}
	return a, err
}

// quoted reads up to the closing quote. A backslash escapes a quote, and nothing else.
func (r *templateReader) quoted(name string) (string, error) {
	for i, c := range r.rest {
		if c != '"' || i > 0 && r.rest[i-1] == '\\' {
			continue
		}
		value := string(r.rest[:i])
		r.advance(i + 1)
		return strings.ReplaceAll(value, `\"`, `"`), nil
	}
	return "", fmt.Errorf("%s: the quote that ends the value is missing", name)
}

func (r *templateReader) vector(name string) ([]attribute, error) {
	var members []attribute
	for {
		r.skipBlank(true)
		if r.take(']') {
			return members, nil
		}
		if len(members) > 0 {
			if !r.take(',') {
				return nil, fmt.Errorf("%s: a comma or ] is expected, not %q", name, r.ahead())
			}
			r.skipBlank(true)
		}
		if len(r.rest) == 0 {
			return nil, errors.New(name + ": the ] that ends the vector is missing")
		}
		m, err := r.attribute(false)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		members = append(members, m)
	}
}

// skipBlank skips blanks and, if lines is set, newlines and comments.
func (r *templateReader) skipBlank(lines bool) {
	for len(r.rest) > 0 {
		switch c := r.rest[0]; {
		case c == ' ' || c == '\t', lines && c == '\n':
			r.advance(1)
		case lines && c == '#':
			end := bytes.IndexByte(r.rest, '\n')
			if end < 0 {
				end = len(r.rest)
			}
			r.advance(end)
		default:
			return
		}
	}
}

func (r *templateReader) take(c byte) bool {
	if len(r.rest) == 0 || r.rest[0] != c {
		return false
	}
	r.advance(1)
	return true
}

func (r *templateReader) word(is func(byte) bool) string {
	n := 0
	for n < len(r.rest) && is(r.rest[n]) {
		n++
	}
	word := string(r.rest[:n])
	r.advance(n)
	return word
}

func (r *templateReader) advance(n int) {
	r.line += bytes.Count(r.rest[:n], []byte("\n"))
	r.rest = r.rest[n:]
}

// ahead describes the next input for an error message.
func (r *templateReader) ahead() string {
	line, _, _ := bytes.Cut(r.rest, []byte("\n"))
	return string(line[:min(len(line), 20)])
}

func isNameByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_'
}

func isBareByte(c byte) bool { return !strings.ContainsRune("=#,[] \t\n\"", rune(c)) }
