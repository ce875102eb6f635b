package onedtest

import (
	"crypto/md5"
	"crypto/sha1"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// storable tells what oned refuses to write into its database.
func storable(text string) bool { return !strings.Contains(text, "]]&gt;") }

// checkName returns the text of a refusal.
func (o *Oned) checkName(kind, name string) string {
	switch {
	case name == "":
		return "Invalid NAME, it cannot be empty"
	case len(name) > 128:
		return "Invalid NAME, max length is 128 chars"
	}
	if i := strings.IndexAny(name, "&|:\\\";/'#{}$<>"); i >= 0 {
		return "Invalid NAME, char '" + name[i:i+1] + "' is not allowed"
	}
	for _, other := range o.objects[kind] {
		if other.Name == name {
			text := fmt.Sprintf("NAME is already taken by %s %d", strings.TrimPrefix(kind, "VM"), other.ID)
			if kind != kindApp {
				text += "."
			}
			return text
		}
	}
	return ""
}

func (o *Oned) allocateTemplate(c call) string {
	content, err := parse(c.text(1))
	if err != nil {
		return refusal(internal, "["+c.Method+"] Parse error: XML Template malformed.")
	}
	if text := o.checkName(kindTemplate, get(content, "NAME")); text != "" {
		return refusal(internal, "["+c.Method+"] "+text)
	}
	return number(o.add(&Object{Kind: kindTemplate, Name: get(content, "NAME"), Template: without(content, "NAME")}).ID)
}

func (o *Oned) allocateImage(c call) string {
	refuse := func(code int, text string) string { return refusal(code, "[one.image.allocate] "+text) }
	content, err := parse(c.text(1))
	if err != nil {
		return refuse(internal, "Parse error: XML Template malformed.")
	}
	if c.number(2) != Datastore {
		return refusalOf(noExists, fmt.Sprintf("[one.image.allocate] Error getting datastore [%d].", c.number(2)), c.number(2))
	}
	image := &Object{Kind: kindImage, State: 4, Place: Datastore, Name: get(content, "NAME"), Format: "raw"}
	var bytes []byte
	if path := get(content, "PATH"); path != "" {
		if bytes, err = os.ReadFile(path); err != nil {
			return refuse(internal, "Cannot parse image SIZE: cannot access '"+path+"' (No such file or directory)")
		}
		image.measure(bytes)
	} else if image.SizeMB, err = strconv.ParseInt(get(content, "SIZE"), 10, 64); err != nil {
		return refuse(internal, "Cannot parse image SIZE: Wrong number or missing SIZE attribute.")
	}
	switch {
	case o.quota != "":
		return refusal(authorization, o.quota)
	case image.SizeMB > o.freeMB:
		return refuse(action, "Not enough space in datastore")
	}
	if text := o.checkName(kindImage, image.Name); text != "" {
		return refuse(allocate, "Error allocating a new image. "+text)
	}
	if !storable(c.text(1)) {
		return refuse(allocate, "Error allocating a new image. Error transforming the Image to XML.")
	}
	image.Template = without(content, "NAME", "PATH", "SIZE", "TYPE", "MD5", "SHA1")
	o.add(image)
	o.later(image, func() { o.copyImage(image, content, bytes) })
	return number(image.ID)
}

// measure reads what qemu-img would tell: format, and size of the disk in MB, rounded up.
func (i *Object) measure(bytes []byte) {
	size := int64(len(bytes))
	if len(bytes) >= 32 && string(bytes[:4]) == "QFI\xfb" {
		i.Format, size = "qcow2", int64(binary.BigEndian.Uint64(bytes[24:32]))
	}
	i.SizeMB = (size + 1<<20 - 1) >> 20
}

// copyImage looks at the SHA1 alone if there is one, at the MD5 otherwise.
func (o *Oned) copyImage(image *Object, content []Attribute, bytes []byte) {
	sum5, sum1 := md5.Sum(bytes), sha1.Sum(bytes)
	want, is := get(content, "SHA1"), hex.EncodeToString(sum1[:])
	if want == "" {
		want, is = get(content, "MD5"), hex.EncodeToString(sum5[:])
	}
	failure := o.failCopy[kindImage]
	if want != "" && want != is {
		failure = "Error copying " + get(content, "PATH") + " to /var/lib/one//datastores/1/781fca76050e1ba202c639f44e2ea32a"
	}
	if failure != "" {
		image.fail(5, "Error copying image in the datastore: "+failure)
		return
	}
	image.State, image.Source = 1, "/var/lib/one//datastores/1/781fca76050e1ba202c639f44e2ea32a"
	image.MD5 = hex.EncodeToString(sum5[:])
	if o.driver != "" && o.driver != image.Format {
		image.Format, image.MD5 = o.driver, strings.Repeat("c", 32)
	}
}

func (i *Object) fail(state int, text string) {
	i.State = state
	i.Template = append(i.Template, Attribute{Name: "ERROR", Value: "Sun Nov 22 19:31:11 2026 : " + text})
}

var appTypes = map[string]int{"": 1, "IMAGE": 1, "VMTEMPLATE": 2, "SERVICE_TEMPLATE": 3}

func (o *Oned) allocateApp(c call) string {
	// 7.4 says more, and with another code, where the pool refuses.
	refusePool := func(text string) string {
		if strings.HasPrefix(o.version, "7.4") {
			return refusal(allocate, "[one.marketapp.allocate] Error allocating a new marketplaceapp. "+text)
		}
		return refusal(internal, "[one.marketapp.allocate] "+text)
	}
	content, err := parse(c.text(1))
	if err != nil {
		return refusePool("Parse error: XML Template malformed.")
	}
	switch place := c.number(2); {
	case place == Public:
		return refusal(action, "[one.marketapp.allocate] Create disabled for market: public")
	case place != Marketplace && strings.HasPrefix(o.version, "7.4"):
		return refusal(internal, fmt.Sprintf("[one.marketapp.allocate] Cannot find associated MARKETPLACE ID = %d", place))
	case place != Marketplace:
		return refusal(internal, "[one.marketapp.allocate] Cannot find associated MARKETPLACE")
	case o.revoked:
		return refusal(authorization, "[one.marketapp.allocate] User [2] : Not authorized to perform CREATE MARKETPLACEAPP.")
	}
	name := get(content, "NAME")
	if text := o.checkName(kindApp, name); text != "" && !strings.HasPrefix(text, "NAME") {
		return refusePool(text)
	}
	origin, err := strconv.Atoi(get(content, "ORIGIN_ID"))
	if err != nil {
		return refusePool("Missing ORIGIN_ID for the MARKETPLACEAPP")
	}
	if text := o.checkName(kindApp, name); text != "" {
		return refusePool(text)
	}
	if !storable(c.text(1)) {
		return refusePool("Error transforming the marketplace app to XML.")
	}
	app := o.add(&Object{
		Kind: kindApp, Name: name, State: 2, Type: appTypes[get(content, "TYPE")], OriginID: origin, Place: Marketplace,
		Template: without(content, "NAME", "ORIGIN_ID"),
	})
	if app.Type != 1 {
		app.State = 1
		return number(app.ID)
	}
	// From here on a refusal leaves the app behind, in ERROR.
	image := o.find(kindImage, origin)
	if image == nil {
		app.fail(3, "Image does not exist.")
		return refusal(internal, "[one.marketapp.allocate] Image does not exist.")
	}
	if image.State != 1 && image.State != 2 {
		app.fail(3, "Cannot clone image in current state")
		return refusal(internal, "[one.marketapp.allocate] Cannot clone image in current state")
	}
	image.State = 2
	o.later(app, func() { o.copyApp(app, image) })
	return number(app.ID)
}

func (o *Oned) copyApp(app, image *Object) {
	image.State = 1
	if failure := o.failCopy[kindApp]; failure != "" {
		app.fail(3, "Error importing app into marketplace: "+failure)
		return
	}
	app.State, app.MD5, app.SizeMB, app.Format = 1, image.MD5, image.SizeMB, image.Format
	app.Source = "http://127.0.0.1:18081/d965e799f5fd71083fb8053fd693feff"
}
