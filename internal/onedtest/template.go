package onedtest

import (
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strings"
)

// Attribute is a name with a value or with attributes of its own.
type Attribute struct {
	Name, Value string
	Vector      []Attribute
}

// content returns attributes from alternating names and values.
func content(pairs ...string) []Attribute {
	var attributes []Attribute
	for i := 0; i < len(pairs); i += 2 {
		attributes = append(attributes, Attribute{Name: pairs[i], Value: pairs[i+1]})
	}
	return attributes
}

func get(t []Attribute, name string) string {
	for _, a := range t {
		if a.Name == name && a.Vector == nil {
			return a.Value
		}
	}
	return ""
}

var errMalformed = errors.New("Parse error: XML Template malformed.") //nolint:staticcheck // oned's text

// parse parses a template: as XML if the first byte indicates it, otherwise in plain syntax.
func parse(text string) ([]Attribute, error) {
	if !strings.HasPrefix(text, "<") {
		return parsePlain(text)
	}
	d := xml.NewDecoder(strings.NewReader(text))
	for {
		token, err := d.Token()
		if err != nil {
			return nil, errMalformed
		}
		if _, begins := token.(xml.StartElement); begins {
			break
		}
	}
	attributes, _, err := readElement(d, 0)
	if err != nil {
		return nil, errMalformed
	}
	return attributes, nil
}

// readElement drops empty attributes and anything nested below a vector, as oned does.
func readElement(d *xml.Decoder, depth int) (attributes []Attribute, text string, err error) {
	var content strings.Builder
	for {
		token, err := d.Token()
		if err != nil {
			return nil, "", errors.Join(err, io.ErrUnexpectedEOF)
		}
		switch token := token.(type) {
		case xml.StartElement:
			a := Attribute{Name: strings.ToUpper(token.Name.Local)}
			if a.Vector, a.Value, err = readElement(d, depth+1); err != nil {
				return nil, "", err
			}
			if a.Vector != nil {
				a.Value = ""
			}
			if depth < 2 && (a.Vector != nil || a.Value != "") {
				attributes = append(attributes, a)
			}
		case xml.CharData:
			content.Write(token)
		case xml.EndElement:
			return attributes, content.String(), nil
		}
	}
}

// maxValue is the limit of libxml2 (XML_MAX_TEXT_LENGTH), with which oned reads its own
// database.
const maxValue = 10_000_000

// storable reports whether oned could read the template again after storing it.
func storable(t []Attribute) bool {
	return !slices.ContainsFunc(t, func(a Attribute) bool {
		return strings.Contains(a.Value, "]]>") || len(a.Value) > maxValue || !storable(a.Vector)
	})
}

// merge replaces all attributes that have the name of an added one.
func merge(old, add []Attribute) []Attribute {
	var names []string
	for _, a := range add {
		names = append(names, a.Name)
	}
	return append(without(old, names...), add...)
}

// without removes the attributes that are not kept in the TEMPLATE of an object.
func without(t []Attribute, names ...string) []Attribute {
	var left []Attribute
	for _, a := range t {
		if !slices.Contains(names, a.Name) {
			left = append(left, a)
		}
	}
	return left
}

// writeTemplate sorts by name, as oned's map does.
func writeTemplate(b *strings.Builder, t []Attribute) {
	sorted := slices.Clone(t)
	slices.SortStableFunc(sorted, func(a, b Attribute) int { return strings.Compare(a.Name, b.Name) })
	for _, a := range sorted {
		b.WriteString("<" + a.Name + ">")
		if a.Vector != nil {
			writeTemplate(b, a.Vector)
		} else {
			b.WriteString("<![CDATA[" + a.Value + "]]>")
		}
		b.WriteString("</" + a.Name + ">")
	}
}
