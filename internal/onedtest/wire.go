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
	Method string `xml:"methodName"`
	Params []struct {
		Value struct {
			String  *string `xml:"string"`
			Int     *string `xml:"int"`
			I4      *string `xml:"i4"`
			Boolean *string `xml:"boolean"`
		} `xml:"value"`
	} `xml:"params>param"`
}

func (c call) text(i int) string {
	if i >= len(c.Params) || c.Params[i].Value.String == nil {
		return ""
	}
	return *c.Params[i].Value.String
}

func (c call) number(i int) int {
	if i >= len(c.Params) {
		return 0
	}
	for _, text := range []*string{c.Params[i].Value.Int, c.Params[i].Value.I4, c.Params[i].Value.Boolean} {
		if text != nil {
			n, _ := strconv.Atoi(*text)
			return n
		}
	}
	return 0
}

func (o *Oned) serve(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/RPC2" {
		http.Error(w, "not found", http.StatusNotFound)
		return
	}
	if r.Method != http.MethodPost {
		http.Error(w, "only POST", http.StatusMethodNotAllowed)
		return
	}
	content, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	var c call
	if err := xml.Unmarshal(content, &c); err != nil || strings.ContainsFunc(string(content), func(r rune) bool { return r > 0xFFFF }) {
		write(w, fault(-503, "Call XML not a proper XML-RPC call."))
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
	// The line ends are those of xmlrpc-c.
	_, _ = io.WriteString(w, strings.ReplaceAll(body, "\n", "\r\n"))
}

const (
	header = `<?xml version="1.0" encoding="UTF-8"?>` + "\n<methodResponse>\n"
	begin  = header + "<params>\n<param><value><array><data>\n"
	finish = "</data></array></value></param>\n</params>\n</methodResponse>\n"
)

func escape(text string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(text)
}

func text(body string) string {
	return begin + "<value><boolean>1</boolean></value>\n<value><string>" + escape(body) + "</string></value>\n<value><i4>0</i4></value>\n" + finish
}

func number(n int) string {
	return begin + fmt.Sprintf("<value><boolean>1</boolean></value>\n<value><i4>%d</i4></value>\n<value><i4>0</i4></value>\n", n) + finish
}

// refusal has the texts and codes of the recordings.
func refusal(code int, message string) string { return refusalOf(code, message, -1) }

// refusalOf names the object it is about.
func refusalOf(code int, message string, id int) string {
	return begin + fmt.Sprintf("<value><boolean>0</boolean></value>\n<value><string>%s</string></value>\n<value><i4>%d</i4></value>\n"+
		"<value><i4>%d</i4></value>\n<value><i8>-1</i8></value>\n", escape(message), code, id) + finish
}

func fault(code int, message string) string {
	return header + fmt.Sprintf("<fault>\n<value><struct>\n<member><name>faultCode</name>\n<value><i4>%d</i4></value></member>\n"+
		"<member><name>faultString</name>\n<value><string>%s</string></value></member>\n</struct></value>\n</fault>\n</methodResponse>\n", code, escape(message))
}
