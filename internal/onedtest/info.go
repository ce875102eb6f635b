package onedtest

import (
	"fmt"
	"strings"
)

var permissionNames = [9]string{"OWNER_U", "OWNER_M", "OWNER_A", "GROUP_U", "GROUP_M", "GROUP_A", "OTHER_U", "OTHER_M", "OTHER_A"}

// xml has the elements of the recordings that publishing reads.
func (o Object) xml() string {
	var b strings.Builder
	element := func(name string, value any) { fmt.Fprintf(&b, "<%s>%v</%s>", name, value, name) }
	b.WriteString("<" + o.Kind + ">")
	element("ID", o.ID)
	element("UID", 2)
	element("GID", o.GroupID)
	element("UNAME", User)
	element("NAME", escape(o.Name))
	b.WriteString("<PERMISSIONS>")
	for i, name := range permissionNames {
		element(name, o.Permissions[i])
	}
	b.WriteString("</PERMISSIONS>")
	switch o.Kind {
	case kindImage:
		element("SIZE", o.SizeMB)
		element("STATE", o.State)
		element("FORMAT", o.Format)
		element("DATASTORE_ID", o.Place)
	case kindApp:
		element("REGTIME", o.RegTime)
		element("ORIGIN_ID", o.OriginID)
		element("SOURCE", o.Source)
		element("MD5", o.MD5)
		element("SIZE", o.SizeMB)
		element("VERSION", escape(o.Get("VERSION")))
		element("FORMAT", o.Format)
		element("MARKETPLACE_ID", o.Place)
		element("STATE", o.State)
		element("TYPE", o.Type)
	}
	b.WriteString("<TEMPLATE>")
	writeTemplate(&b, o.Template)
	b.WriteString("</TEMPLATE></" + o.Kind + ">")
	return b.String()
}

func (o *Oned) pool(kind string) string {
	var b strings.Builder
	b.WriteString("<" + kind + "_POOL>")
	for _, object := range o.objects[kind] {
		b.WriteString(object.xml())
	}
	b.WriteString("</" + kind + "_POOL>")
	return b.String()
}
