package onedtest

import (
	"fmt"
	"strings"
)

// Error codes of refused calls (OpenNebula's include/Request.h).
const (
	authentication = 0x0100
	authorization  = 0x0200
	noExists       = 0x0400
	action         = 0x0800
	internal       = 0x2000
	allocate       = 0x4000
)

const (
	header = `<?xml version="1.0" encoding="UTF-8"?>` + "\r\n<methodResponse>\r\n"
	begin  = header + "<params>\r\n<param><value><array><data>\r\n"
	finish = "</data></array></value></param>\r\n</params>\r\n</methodResponse>\r\n"
)

func escape(text string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(text)
}

// text responds with a string. A string that cannot be encoded becomes a fault: a user who
// stored it has broken every response that contains it.
func text(body string) string {
	if problem := notBasic(body); problem != "" {
		return fault(-500, "Unexpected error executing code for particular method, detected by Xmlrpc-c method registry code.  "+
			"Method did not fail; rather, it did not complete at all.  "+problem)
	}
	return begin + "<value><boolean>1</boolean></value>\r\n<value><string>" + escape(body) + "</string></value>\r\n<value><i4>0</i4></value>\r\n" + finish
}

func number(n int) string {
	return begin + fmt.Sprintf("<value><boolean>1</boolean></value>\r\n<value><i4>%d</i4></value>\r\n<value><i4>0</i4></value>\r\n", n) + finish
}

func refusal(code int, message string) string { return refusalOf(-1, code, message) }

// refusalOf returns a refusal that names the requested object.
func refusalOf(id, code int, message string) string {
	return begin + fmt.Sprintf("<value><boolean>0</boolean></value>\r\n<value><string>%s</string></value>\r\n<value><i4>%d</i4></value>\r\n"+
		"<value><i4>%d</i4></value>\r\n<value><i8>-1</i8></value>\r\n", escape(message), code, id) + finish
}

func fault(code int, message string) string {
	return header + fmt.Sprintf("<fault>\r\n<value><struct>\r\n<member><name>faultCode</name>\r\n<value><i4>%d</i4></value></member>\r\n"+
		"<member><name>faultString</name>\r\n<value><string>%s</string></value></member>\r\n</struct></value>\r\n</fault>\r\n</methodResponse>\r\n", code, escape(message))
}
