package opennebula

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/storedtext"
)

// Template is the content of an object, in order.
type Template []Attribute

// Attribute is a name with a value, or a vector: a name with attributes of its own, one
// level deep. Names may be repeated.
type Attribute struct {
	Name   string
	Value  string
	Vector []Attribute
}

// maxTemplate is the largest template, in bytes, that oned is known to store; it silently
// drops a larger one while reporting success (7.0 and 7.4: 8 MB are kept, 32 MB lost).
const maxTemplate = 8 << 20

var attributeName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]*$`)

// Get returns the value of the first attribute called name, empty if there is none.
func (t Template) Get(name string) string {
	i := slices.IndexFunc(t, func(a Attribute) bool { return a.Name == name && a.Vector == nil })
	if i < 0 {
		return ""
	}
	return t[i].Value
}

// XML returns the template as XML, the syntax that oned parses without ambiguity. Empty
// attributes are left out, as oned would do. The error lists everything that oned would store
// wrongly, or report as stored and drop.
func (t Template) XML() (string, error) {
	var text strings.Builder
	text.WriteString("<TEMPLATE>")
	mistakes := writeAttributes(&text, t)
	text.WriteString("</TEMPLATE>")
	if text.Len() > maxTemplate {
		mistakes = append(mistakes, fmt.Errorf("the template has %d bytes, OpenNebula keeps %d at most", text.Len(), maxTemplate))
	}
	return text.String(), errors.Join(mistakes...)
}

func writeAttributes(text *strings.Builder, attributes []Attribute) (mistakes []error) {
	for _, a := range attributes {
		if a.Value == "" && len(a.Vector) == 0 {
			continue
		}
		if !attributeName.MatchString(a.Name) {
			mistakes = append(mistakes, fmt.Errorf("%q cannot be the name of an attribute", a.Name))
			continue
		}
		text.WriteString("<" + a.Name + ">")
		if a.Vector != nil {
			mistakes = append(mistakes, writeAttributes(text, a.Vector)...)
		} else if err := storedtext.Check(a.Value); err != nil {
			mistakes = append(mistakes, fmt.Errorf("%s: %w", a.Name, err))
		} else {
			_ = xml.EscapeText(text, []byte(a.Value)) // writing to a Builder never fails
		}
		text.WriteString("</" + a.Name + ">")
	}
	return mistakes
}

// UnmarshalXML decodes the children of a TEMPLATE element.
func (t *Template) UnmarshalXML(d *xml.Decoder, _ xml.StartElement) error {
	attributes, _, err := readAttributes(d)
	*t = attributes
	return err
}

// readAttributes reads up to the end of the current element, and returns its attributes and
// any other text in it.
func readAttributes(d *xml.Decoder) (attributes []Attribute, text string, err error) {
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
			if a.Vector, a.Value, err = readAttributes(d); err != nil {
				return nil, "", err
			}
			if a.Vector != nil {
				a.Value = ""
			}
			attributes = append(attributes, a)
		case xml.CharData:
			content.Write(token)
		case xml.EndElement:
			return attributes, content.String(), nil
		}
	}
}
