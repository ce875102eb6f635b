package onedtest

import (
	"fmt"
	"slices"
	"strings"
)

// Codes of refusals (OpenNebula's include/Request.h).
const (
	authentication = 0x0100
	authorization  = 0x0200
	noExists       = 0x0400
	action         = 0x0800
	internal       = 0x2000
	allocate       = 0x4000
)

var kinds = map[string]string{"image": kindImage, "marketapp": kindApp, "template": kindTemplate}

func (o *Oned) answer(c call) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.settle()
	if c.text(0) != User+":"+Password {
		return refusal(authentication, "["+c.Method+"] User couldn't be authenticated, aborting call.")
	}
	switch c.Method {
	case "one.system.version":
		return text(o.version)
	case "one.user.info":
		return text("<USER><ID>2</ID><GID>1</GID><GNAME>users</GNAME><NAME>" + User + "</NAME><TEMPLATE></TEMPLATE></USER>")
	case "one.datastorepool.info":
		return text(o.datastores())
	case "one.datastore.info":
		return refusalOf(noExists, fmt.Sprintf("[one.datastore.info] Error getting datastore [%d].", c.number(1)), c.number(1))
	case "one.marketpool.info":
		return text(o.marketplaces())
	case "one.grouppool.info":
		return text("<GROUP_POOL><GROUP><ID>0</ID><NAME>oneadmin</NAME></GROUP><GROUP><ID>1</ID><NAME>users</NAME></GROUP><GROUP><ID>7</ID><NAME>lab</NAME></GROUP></GROUP_POOL>")
	case "one.zonepool.info":
		return text("<ZONE_POOL><ZONE><ID>0</ID><NAME>OpenNebula</NAME><TEMPLATE><ENDPOINT><![CDATA[" + o.Endpoint() + "]]></ENDPOINT></TEMPLATE></ZONE></ZONE_POOL>")
	case "one.image.allocate":
		return o.allocateImage(c)
	case "one.marketapp.allocate":
		return o.allocateApp(c)
	case "one.template.allocate":
		return o.allocateTemplate(c)
	}
	return o.onObject(c)
}

func (o *Oned) datastores() string {
	store := func(id int, name string, kind int, driver string) string {
		return fmt.Sprintf("<DATASTORE><ID>%d</ID><NAME>%s</NAME><TYPE>%d</TYPE><TOTAL_MB>%d</TOTAL_MB><FREE_MB>%d</FREE_MB><TEMPLATE>%s</TEMPLATE></DATASTORE>",
			id, name, kind, 1<<21, o.freeMB, driver)
	}
	driver := ""
	if o.driver != "" {
		driver = "<DRIVER>" + o.driver + "</DRIVER>"
	}
	return "<DATASTORE_POOL>" + store(0, "system", 1, "") + store(Datastore, "default", 0, driver) + store(2, "files", 2, "") + "</DATASTORE_POOL>"
}

func (o *Oned) marketplaces() string {
	market := func(id int, name, driver string, state int) string {
		return fmt.Sprintf("<MARKETPLACE><ID>%d</ID><NAME>%s</NAME><STATE>%d</STATE><MARKET_MAD><![CDATA[%s]]></MARKET_MAD><ZONE_ID><![CDATA[0]]></ZONE_ID>"+
			"<TOTAL_MB>%d</TOTAL_MB><FREE_MB>%d</FREE_MB></MARKETPLACE>", id, name, state, driver, 1<<21, o.marketMB)
	}
	state := 0
	if o.marketOff {
		state = 1
	}
	return "<MARKETPLACE_POOL>" + market(Marketplace, "private", "http", state) + market(Public, "public", "one", 0) + "</MARKETPLACE_POOL>"
}

// onObject is for calls whose second parameter is the number of an object, and for pools.
func (o *Oned) onObject(c call) string {
	parts := strings.Split(c.Method, ".")
	if len(parts) != 3 {
		return undefined(c.Method)
	}
	if noun, found := strings.CutSuffix(parts[1], "pool"); found && kinds[noun] != "" && parts[2] == "info" {
		return text(o.pool(kinds[noun]))
	}
	kind, known := kinds[parts[1]]
	if !known || !slices.Contains([]string{"info", "chmod", "chown", "rename", "update", "enable", "delete"}, parts[2]) {
		return undefined(c.Method)
	}
	object := o.find(kind, c.number(1))
	if object == nil {
		noun := map[string]string{kindImage: "image", kindApp: "marketplaceapp", kindTemplate: "virtual machine template"}[kind]
		return refusalOf(noExists, fmt.Sprintf("[%s] Error getting %s [%d].", c.Method, noun, c.number(1)), c.number(1))
	}
	return o.act(c, parts[2], object)
}

func undefined(method string) string {
	return fault(-506, "Method '"+method+"' not defined")
}

func (o *Oned) act(c call, verb string, object *Object) string {
	switch verb {
	case "info":
		return text(object.xml())
	case "chmod":
		for i := range object.Permissions {
			if bit := c.number(2 + i); bit >= 0 {
				object.Permissions[i] = bit
			}
		}
	case "chown":
		if group := c.number(3); group >= 0 {
			object.GroupID = group
		}
	case "rename":
		for _, other := range o.objects[object.Kind] {
			if other != object && other.Name == c.text(2) {
				return refusal(action, fmt.Sprintf("[%s] %s cannot be renamed to %s because it collides with %s %d", c.Method, strings.ToLower(object.Kind), c.text(2), strings.ToLower(object.Kind), other.ID))
			}
		}
		object.Name = c.text(2)
	case "update":
		// What cannot be stored is dropped without a word.
		if !strings.Contains(c.text(2), "]]&gt;") {
			add, err := parse(c.text(2))
			if err != nil {
				return refusal(internal, "["+c.Method+"] Cannot update template. Parse error: XML Template malformed.")
			}
			object.Template = merge(object.Template, without(add, "MD5", "SIZE", "SOURCE", "FORMAT", "ORIGIN_ID"))
		}
	case "enable":
		if object.State == 4 {
			object.State = 1
		}
	case "delete":
		return o.remove(c, object)
	}
	return number(object.ID)
}

func (o *Oned) remove(c call, object *Object) string {
	if object.Kind == kindImage {
		switch object.State {
		case 4:
			return refusal(internal, "["+c.Method+"] Image locked, use --force flag to remove the image. Force delete may leave some files on Datastore")
		case 2:
			return refusal(action, "["+c.Method+"] Cannot delete image. There are 0 VMs using it.")
		}
		object.State = 7
	}
	if object.Kind == kindTemplate {
		o.drop(object)
		return number(object.ID)
	}
	if object.Kind == kindApp {
		if origin := o.find(kindImage, object.OriginID); origin != nil && origin.State == 2 {
			origin.State = 1
		}
		object.State = 2
	}
	o.later(object, func() { o.drop(object) })
	return number(object.ID)
}
