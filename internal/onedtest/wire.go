package onedtest

import (
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// call is one request.
type call struct {
	Method string  `xml:"methodName"`
	Params []param `xml:"params>param"`
}

type param struct {
	Value struct {
		Bare    string  `xml:",chardata"`
		String  *string `xml:"string"`
		Int     *string `xml:"int"`
		I4      *string `xml:"i4"`
		Boolean *string `xml:"boolean"`
	} `xml:"value"`
}

// types maps the letters in the table of methods to the XML-RPC types in use.
var types = map[byte]string{'s': "string", 'i': "integer", 'b': "boolean"}

func (p param) is(letter byte) bool {
	v := p.Value
	switch letter {
	case 'i':
		return v.Int != nil || v.I4 != nil
	case 'b':
		return v.Boolean != nil
	}
	return v.String != nil || v.Int == nil && v.I4 == nil && v.Boolean == nil
}

// mismatch returns how the parameters differ from letters, empty if they do not; parameters
// after a "?" are optional.
func (c call) mismatch(letters string) string {
	needed, optional, _ := strings.Cut(letters, "?")
	if len(c.Params) < len(needed) {
		return "Not enough parameters"
	}
	for i, letter := range []byte(needed + optional) {
		if i < len(c.Params) && !c.Params[i].is(letter) {
			return "Parameter that is supposed to be " + types[letter] + " is not"
		}
	}
	return ""
}

func (c call) text(i int) string {
	switch {
	case i >= len(c.Params):
		return ""
	case c.Params[i].Value.String != nil:
		return *c.Params[i].Value.String
	}
	return c.Params[i].Value.Bare
}

// number returns 0 for a missing parameter, and 0 or 1 for a boolean.
func (c call) number(i int) int {
	if i >= len(c.Params) {
		return 0
	}
	for _, text := range []*string{c.Params[i].Value.Int, c.Params[i].Value.I4, c.Params[i].Value.Boolean} {
		if text != nil {
			n, _ := strconv.Atoi(strings.TrimSpace(*text))
			return n
		}
	}
	return 0
}

// notBasic is the message of oned's XML-RPC library for a string with a character above
// U+FFFF.
func notBasic(text string) string {
	i := strings.IndexFunc(text, func(r rune) bool { return r > 0xFFFF })
	if i < 0 {
		return ""
	}
	return fmt.Sprintf("%d-byte supposed UTF-8 string is not valid UTF-8.  UTF-8 string contains a character not in the Basic Multilingual Plane (first byte 0xffffff%x)",
		len(text), text[i])
}

func parseCall(content []byte) (c call, problem string) {
	const prefix = "Call XML not a proper XML-RPC call.  "
	if err := xml.Unmarshal(content, &c); err != nil || c.Method == "" {
		return c, prefix + "Call is not valid XML.  syntax error"
	}
	for i := range c.Params {
		if problem := notBasic(c.text(i)); problem != "" {
			return c, prefix + problem
		}
	}
	return c, ""
}

const onlyPost = `<HTML><HEAD><TITLE>Error 405</TITLE></HEAD><BODY><H1>Error 405</H1><P>POST is the only HTTP method this server understands</P><p><HR>` +
	`<b><i><a href="http://xmlrpc-c.sourceforge.net">ABYSS Web Server for XML-RPC For C/C++</a></i></b> version 1.33.14<br></p></BODY></HTML>`

func (o *Oned) serve(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Server", "Xmlrpc-c_Abyss/1.33.14")
	if r.URL.Path != "/RPC2" {
		http.Error(w, "<HTML><HEAD><TITLE>Error 404</TITLE></HEAD></HTML>", http.StatusNotFound)
		return
	}
	if r.Method != http.MethodPost {
		w.WriteHeader(http.StatusMethodNotAllowed)
		_, _ = io.WriteString(w, onlyPost)
		return
	}
	content, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	c, problem := parseCall(content)
	if problem != "" {
		write(w, fault(-503, problem))
		return
	}
	n, hook, failure := o.begin(c.Method)
	if hook != nil {
		hook(n, c.Method)
	}
	switch failure {
	case CutBefore:
		cut(w)
		return
	case BadGateway:
		http.Error(w, "bad gateway", http.StatusBadGateway)
		return
	}
	answer := o.answer(c)
	switch failure {
	case LoseAnswer:
		cut(w)
		return
	case Slow:
		pause(r.Context())
	}
	write(w, answer)
}

func (o *Oned) begin(method string) (n int, hook func(int, string), failure Fault) {
	o.mu.Lock()
	defer o.mu.Unlock()
	n = len(o.calls)
	o.calls = append(o.calls, method)
	if o.downFrom >= 0 && n >= o.downFrom {
		return n, o.onCall, CutBefore
	}
	return n, o.onCall, o.faults[n]
}

func write(w http.ResponseWriter, body string) {
	w.Header().Set("Content-Type", "text/xml; charset=utf-8")
	_, _ = io.WriteString(w, body)
}
