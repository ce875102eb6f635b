package onedtest

import (
	"errors"
	"strings"
)

// plain parses the syntax KEY="value" and KEY=[A="b",C="d"] like oned's grammar
// (src/parsers/template_syntax.y): characters that cannot begin a name are silently skipped.
type plain struct{ rest string }

func isName(c byte) bool {
	return c == '_' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' }

// unexpected returns oned's message with a constant position; the position oned reports may be
// wrong anyway.
func unexpected(token, expected string) error {
	return errors.New("Parse error: syntax error, unexpected " + token + ", expecting " + expected + " at line 1, columns 0:1") //nolint:staticcheck // oned's text
}

func parsePlain(text string) ([]Attribute, error) {
	p := &plain{text}
	var attributes []Attribute
	for {
		name := p.name()
		if name == "" {
			return attributes, nil
		}
		a, err := p.attribute(name)
		if err != nil {
			return nil, err
		}
		attributes = append(attributes, a)
	}
}

// name returns the next name, "" at the end.
func (p *plain) name() string {
	for p.rest != "" && !isName(p.rest[0]) {
		if p.rest[0] == '#' {
			p.skipLine()
			continue
		}
		p.rest = p.rest[1:]
	}
	return p.take(isName)
}

func (p *plain) skipLine() {
	_, p.rest, _ = strings.Cut(p.rest, "\n")
}

func (p *plain) take(while func(byte) bool) string {
	n := 0
	for n < len(p.rest) && while(p.rest[n]) {
		n++
	}
	taken := p.rest[:n]
	p.rest = p.rest[n:]
	return taken
}

// equals reads the "=" after a name.
func (p *plain) equals() error {
	for p.rest != "" && p.rest[0] != '=' {
		if isName(p.rest[0]) {
			return unexpected("VARIABLE", "EQUAL or EQUAL_EMPTY")
		}
		p.rest = p.rest[1:]
	}
	if p.rest == "" {
		return unexpected("$end", "EQUAL or EQUAL_EMPTY")
	}
	p.rest = p.rest[1:]
	p.take(isBlank)
	return nil
}

func (p *plain) attribute(name string) (a Attribute, err error) {
	a.Name = strings.ToUpper(name)
	if err := p.equals(); err != nil {
		return a, err
	}
	if !strings.HasPrefix(p.rest, "[") {
		a.Value, err = p.value()
		return a, err
	}
	for {
		inner := p.nameOrBracket()
		switch inner {
		case "":
			return a, unexpected("$end", "COMMA or CBRACKET")
		case "]":
			return a, nil
		}
		v := Attribute{Name: strings.ToUpper(inner)}
		if err := p.equals(); err != nil {
			return a, err
		}
		if v.Value, err = p.value(); err != nil {
			return a, err
		}
		a.Vector = append(without(a.Vector, v.Name), v)
	}
}

// nameOrBracket returns the next name in a vector, "]" at its end.
func (p *plain) nameOrBracket() string {
	for p.rest != "" && !isName(p.rest[0]) {
		c := p.rest[0]
		p.rest = p.rest[1:]
		if c == ']' {
			return "]"
		}
	}
	return p.take(isName)
}

// value reads up to the closing quote; \" is the only escape. Without quotes it reads one
// word.
func (p *plain) value() (string, error) {
	if !strings.HasPrefix(p.rest, `"`) {
		return p.take(func(c byte) bool { return !strings.ContainsRune(" \t\r\n,]\"", rune(c)) }), nil
	}
	for i := 1; i < len(p.rest); i++ {
		switch {
		case p.rest[i] == '\\' && i+1 < len(p.rest) && p.rest[i+1] == '"':
			i++
		case p.rest[i] == '"':
			value := strings.ReplaceAll(p.rest[1:i], `\"`, `"`)
			p.rest = p.rest[i+1:]
			if strings.Contains(value, "]]>") {
				return "", errors.New("Parse error.") //nolint:staticcheck // oned's text
			}
			return value, nil
		}
	}
	return "", unexpected("$end", "OBRACKET or CCDATA or STRING")
}
