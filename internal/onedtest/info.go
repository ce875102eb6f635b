package onedtest

import (
	"fmt"
	"strings"
)

var permissionNames = [9]string{"OWNER_U", "OWNER_M", "OWNER_A", "GROUP_U", "GROUP_M", "GROUP_A", "OTHER_U", "OTHER_M", "OTHER_A"}

// document writes elements as oned does: user-supplied text is in CDATA.
type document struct{ strings.Builder }

func (d *document) element(name string, value any) { fmt.Fprintf(d, "<%s>%v</%s>", name, value, name) }

func (d *document) data(name, value string) {
	d.element(name, "<![CDATA["+value+"]]>")
}

func (d *document) ids(name string, ids []int) {
	var b strings.Builder
	for _, id := range ids {
		fmt.Fprintf(&b, "<ID>%d</ID>", id)
	}
	d.element(name, b.String())
}

func (d *document) permissions(object *Object) {
	d.WriteString("<PERMISSIONS>")
	for i, name := range permissionNames {
		d.element(name, object.Permissions[i])
	}
	d.WriteString("</PERMISSIONS>")
}

func (d *document) lock(object *Object) {
	if object.lockedBy != nil {
		d.element("LOCK", fmt.Sprintf("<LOCKED>1</LOCKED><OWNER>%d</OWNER><TIME>%d</TIME><REQ_ID>1</REQ_ID>", *object.lockedBy, object.lockTime))
	}
}

func (d *document) template(object *Object) {
	d.WriteString("<TEMPLATE>")
	writeTemplate(&d.Builder, object.Template)
	d.WriteString("</TEMPLATE>")
}

// info returns the elements in the order of the recordings.
func (o *Oned) info(object *Object) string {
	d := &document{}
	d.WriteString("<" + object.Kind + ">")
	d.element("ID", object.ID)
	d.element("UID", object.OwnerID)
	d.element("GID", object.GroupID)
	d.element("UNAME", o.userName(object.OwnerID))
	d.element("GNAME", groups[object.GroupID])
	name := escape(object.Name)
	switch object.Kind {
	case kindImage:
		d.element("NAME", name)
		o.imageInfo(d, object)
	case kindApp:
		d.lock(object)
		d.element("REGTIME", object.RegTime)
		d.element("NAME", name)
		o.appInfo(d, object)
	case kindTemplate:
		d.element("NAME", name)
		d.permissions(object)
		d.element("REGTIME", object.RegTime)
		d.template(object)
	case kindDatastore:
		d.element("NAME", name)
		o.datastoreInfo(d, object)
	case kindMarketplace:
		d.element("NAME", name)
		o.marketplaceInfo(d, object)
	}
	d.WriteString("</" + object.Kind + ">")
	return d.String()
}

func (o *Oned) imageInfo(d *document, image *Object) {
	d.lock(image)
	d.permissions(image)
	d.element("TYPE", image.Type)
	d.element("DISK_TYPE", 0)
	d.element("PERSISTENT", image.Persistent)
	d.element("REGTIME", image.RegTime)
	d.element("MODTIME", image.RegTime)
	d.data("SOURCE", image.Source)
	d.data("PATH", image.Path)
	d.data("FORMAT", image.Format)
	d.data("FS", "")
	d.element("SIZE", image.SizeMB)
	d.element("STATE", image.State)
	d.element("PREV_STATE", image.previous)
	d.element("RUNNING_VMS", len(image.vms))
	d.element("CLONING_OPS", len(image.clones))
	d.element("CLONING_ID", -1)
	d.element("TARGET_SNAPSHOT", -1)
	d.element("DATASTORE_ID", image.Place)
	d.element("DATASTORE", escape(o.find(kindDatastore, image.Place).Name))
	d.ids("VMS", image.vms)
	d.ids("CLONES", nil)
	d.ids("APP_CLONES", image.clones)
	d.template(image)
	d.WriteString("<SNAPSHOTS><ALLOW_ORPHANS><![CDATA[NO]]></ALLOW_ORPHANS><CURRENT_BASE><![CDATA[-1]]></CURRENT_BASE>" +
		"<NEXT_SNAPSHOT><![CDATA[0]]></NEXT_SNAPSHOT></SNAPSHOTS><BACKUP_INCREMENTS></BACKUP_INCREMENTS><BACKUP_DISK_IDS></BACKUP_DISK_IDS>")
}

func (o *Oned) appInfo(d *document, app *Object) {
	d.data("ZONE_ID", "0")
	d.data("ORIGIN_ID", fmt.Sprint(app.OriginID))
	d.data("SOURCE", app.Source)
	d.data("MD5", app.MD5)
	d.element("SIZE", app.SizeMB)
	d.data("DESCRIPTION", app.Get("DESCRIPTION"))
	d.data("VERSION", app.Version)
	d.data("FORMAT", app.Format)
	d.data("APPTEMPLATE64", app.Get("APPTEMPLATE64"))
	d.element("MARKETPLACE_ID", app.Place)
	d.element("MARKETPLACE", escape(o.find(kindMarketplace, app.Place).Name))
	d.element("STATE", app.State)
	d.element("TYPE", app.Type)
	d.permissions(app)
	d.template(app)
}

// totalMB is the capacity of a datastore or marketplace, reported even if it is full.
const totalMB = 1 << 21

func (o *Oned) datastoreInfo(d *document, datastore *Object) {
	mad := datastore.Get("DS_MAD")
	if mad == "" {
		mad = "-"
	}
	d.permissions(datastore)
	d.data("DS_MAD", mad)
	d.data("TM_MAD", datastore.Get("TM_MAD"))
	d.data("BASE_PATH", fmt.Sprintf("/var/lib/one//datastores/%d", datastore.ID))
	d.element("TYPE", datastore.Type)
	d.element("DISK_TYPE", 0)
	d.element("STATE", datastore.State)
	d.element("CLUSTERS", "<ID>0</ID>")
	d.space(datastore)
	var images []int
	for _, image := range o.objects[kindImage] {
		if image.Place == datastore.ID {
			images = append(images, image.ID)
		}
	}
	d.ids("IMAGES", images)
	d.template(datastore)
}

func (d *document) space(place *Object) {
	d.element("TOTAL_MB", totalMB)
	d.element("FREE_MB", place.FreeMB)
	d.element("USED_MB", totalMB-place.FreeMB)
}

func (o *Oned) marketplaceInfo(d *document, marketplace *Object) {
	d.element("STATE", marketplace.State)
	d.data("MARKET_MAD", marketplace.Get("MARKET_MAD"))
	d.data("ZONE_ID", "0")
	d.space(marketplace)
	var apps []int
	for _, app := range o.appsOf(marketplace.ID) {
		apps = append(apps, app.ID)
	}
	d.ids("MARKETPLACEAPPS", apps)
	d.permissions(marketplace)
	d.template(marketplace)
}
