package onedtest

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
)

// Attribute is a name with a value or with attributes of its own.
type Attribute struct {
	Name, Value string
	Vector      []Attribute
}

func get(t []Attribute, name string) string {
	for _, a := range t {
		if a.Name == name && a.Vector == nil {
			return a.Value
		}
	}
	return ""
}

// parse reads a template: XML if the first byte says so, else lines of NAME=value.
func parse(text string) ([]Attribute, error) {
	if !strings.HasPrefix(text, "<") {
		return parsePlain(text), nil
	}
	d := xml.NewDecoder(strings.NewReader(text))
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	attributes, _, err := read(d)
	return attributes, err
}

func parsePlain(text string) []Attribute {
	var attributes []Attribute
	for _, line := range strings.Split(text, "\n") {
		if name, value, found := strings.Cut(line, "="); found {
			attributes = append(attributes, Attribute{Name: strings.TrimSpace(name), Value: strings.Trim(strings.TrimSpace(value), `"`)})
		}
	}
	return attributes
}

// read leaves empty elements out, as oned does.
func read(d *xml.Decoder) (attributes []Attribute, text string, err error) {
	var content strings.Builder
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return nil, "", io.ErrUnexpectedEOF
		}
		if err != nil {
			return nil, "", err
		}
		switch token := token.(type) {
		case xml.StartElement:
			a := Attribute{Name: token.Name.Local}
			if a.Vector, a.Value, err = read(d); err != nil {
				return nil, "", err
			}
			if a.Vector != nil || a.Value != "" {
				attributes = append(attributes, a)
			}
		case xml.CharData:
			content.Write(token)
		case xml.EndElement:
			return attributes, content.String(), nil
		}
	}
}

// merge replaces all attributes of a name by those given.
func merge(old, add []Attribute) []Attribute {
	named := map[string]bool{}
	for _, a := range add {
		named[a.Name] = true
	}
	var merged []Attribute
	for _, a := range old {
		if !named[a.Name] {
			merged = append(merged, a)
		}
	}
	return append(merged, add...)
}

// without leaves out what is not kept in the TEMPLATE of an object.
func without(t []Attribute, names ...string) []Attribute {
	var left []Attribute
	for _, a := range t {
		kept := true
		for _, name := range names {
			kept = kept && a.Name != name
		}
		if kept {
			left = append(left, a)
		}
	}
	return left
}

func writeTemplate(b *strings.Builder, t []Attribute) {
	for _, a := range t {
		b.WriteString("<" + a.Name + ">")
		if a.Vector != nil {
			writeTemplate(b, a.Vector)
		} else {
			b.WriteString("<![CDATA[" + a.Value + "]]>")
		}
		b.WriteString("</" + a.Name + ">")
	}
}
