package onedtest

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Kinds of objects, named like their XML elements.
const (
	kindImage       = "IMAGE"
	kindApp         = "MARKETPLACEAPP"
	kindTemplate    = "VMTEMPLATE"
	kindDatastore   = "DATASTORE"
	kindMarketplace = "MARKETPLACE"
)

// nouns are the names of the kinds in error messages (Request::object_name of OpenNebula).
var nouns = map[string]string{
	kindImage: "image", kindApp: "marketplaceapp", kindTemplate: "virtual machine template", kindDatastore: "datastore", kindMarketplace: "marketplace",
}

// Object is an image, an app, a VM template, a datastore or a marketplace.
type Object struct {
	Kind    string
	ID      int
	OwnerID int
	GroupID int
	Name    string
	State   int
	// Permissions are use, manage and admin for owner, group and others.
	Permissions [9]int
	// Template contains the attributes in the order in which they were set.
	Template []Attribute
	RegTime  int64
	// Type and Source are for images, apps and (Type) datastores, Place is the id of the
	// datastore or marketplace.
	Type, Place int
	Source      string
	MD5, Format string // MD5 of the stored bytes
	SizeMB      int64
	Path        string // of an image
	Persistent  int    // of an image
	Version     string // of an app
	OriginID    int    // of an app
	FreeMB      int64  // of a datastore or marketplace
	lockedBy    *int
	lockTime    int64
	vms, clones []int // of an image: ids of its users
	previous    int   // state, which is 0 until the first copy ends
	// until is when the state changes, then is called at that time.
	until time.Time
	then  func()
}

// Get returns the value of an attribute of the object.
func (o Object) Get(name string) string { return get(o.Template, name) }

func (o *Object) become(state int) { o.State, o.previous = state, state }

// fail puts an object in ERROR, with the reason in its template.
func (o *Oned) fail(object *Object, state int, text string) {
	object.become(state)
	when := time.Unix(o.now, 0).UTC().Format(time.ANSIC)
	object.Template = merge(object.Template, []Attribute{{Name: "ERROR", Value: when + " : " + text}})
}

// add assigns an id to an object; by default only its owner has permissions.
func (o *Oned) add(object *Object) *Object {
	object.ID = o.next[object.Kind]
	o.next[object.Kind]++
	o.now++
	object.RegTime = o.now
	object.Permissions = [9]int{1, 1}
	o.objects[object.Kind] = append(o.objects[object.Kind], object)
	return object
}

func (o *Oned) drop(object *Object) {
	o.objects[object.Kind] = slices.DeleteFunc(o.objects[object.Kind], func(other *Object) bool { return other == object })
}

func (o *Oned) find(kind string, id int) *Object {
	for _, object := range o.objects[kind] {
		if object.ID == id {
			return object
		}
	}
	return nil
}

// checkName returns the text of a refusal, empty if the name is valid.
func (o *Oned) checkName(kind, name string, owner int) string {
	if text := invalidName(name); text != "" {
		return text
	}
	other := o.named(kind, name, owner)
	if other == nil {
		return ""
	}
	text := fmt.Sprintf("NAME is already taken by %s %d", strings.TrimPrefix(kind, "VM"), other.ID)
	if kind == kindImage || kind == kindTemplate {
		text += "."
	}
	return text
}

// named finds the object with a name; names are unique per owner.
func (o *Oned) named(kind, name string, owner int) *Object {
	for _, object := range o.objects[kind] {
		if object.Name == name && object.OwnerID == owner {
			return object
		}
	}
	return nil
}

func invalidName(name string) string {
	switch {
	case name == "":
		return "Invalid NAME, it cannot be empty"
	case len(name) > 128:
		return "Invalid NAME, max length is 128 chars"
	}
	if i := strings.IndexAny(name, "&|:\\\";/'#{}$<>\t\n\v\f\r"); i >= 0 {
		return "Invalid NAME, char '" + name[i:i+1] + "' is not allowed"
	}
	return ""
}
