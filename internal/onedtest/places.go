package onedtest

import "slices"

// Types of a datastore (OpenNebula's include/Datastore.h).
const (
	imageDatastore = iota
	systemDatastore
	fileDatastore
)

// addDatastores adds the datastores that every front-end has.
func (o *Oned) addDatastores(safe string) {
	common := content("ALLOW_ORPHANS", "FORMAT", "PERSISTENT_SNAPSHOTS", "YES", "RESTRICTED_DIRS", "/", "SAFE_DIRS", safe, "TM_MAD", "local")
	forFiles := content("CLONE_TARGET", "SYSTEM", "DS_MAD", "fs", "LN_TARGET", "SYSTEM")
	for id, d := range []struct {
		name  string
		kind  int
		extra []Attribute
	}{
		{"system", systemDatastore, content("DISK_TYPE", "FILE", "DS_MIGRATE", "YES", "SHARED", "NO", "TYPE", "SYSTEM_DS")},
		{"default", imageDatastore, append(content("DISK_TYPE", "FILE", "TYPE", "IMAGE_DS"), forFiles...)},
		{"files", fileDatastore, append(content("TYPE", "FILE_DS"), forFiles...)},
	} {
		o.objects[kindDatastore] = append(o.objects[kindDatastore], &Object{
			Kind: kindDatastore, ID: id, Name: d.name, Type: d.kind, Permissions: [9]int{1, 1, 0, 1}, Template: append(slices.Clone(common), d.extra...),
		})
	}
}

func (o *Oned) addMarketplace(owner int, name string, template []Attribute) *Object {
	return o.add(&Object{Kind: kindMarketplace, OwnerID: owner, Name: name, Template: template})
}

func isPublic(marketplace *Object) bool {
	return !slices.Contains([]string{"http", "s3"}, marketplace.Get("MARKET_MAD"))
}

func (o *Oned) allocateMarketplace(r request) string {
	given, err := parse(r.text(1))
	if err != nil {
		return refusal(internal, "["+r.Method+"] "+err.Error())
	}
	if !r.user.isAdmin() {
		return notAuthorized(r, "Not authorized to perform CREATE MARKETPLACE.")
	}
	name := get(given, "NAME")
	text := o.checkName(kindMarketplace, name, r.user.id)
	if text == "" && get(given, "MARKET_MAD") == "http" {
		for _, needed := range []string{"BASE_URL", "PUBLIC_DIR"} {
			if get(given, needed) == "" {
				text = `MarketPlace template is missing the "` + needed + `" attribute or it's empty.`
			}
		}
	}
	if text != "" {
		return o.refusePool(r, kindMarketplace, text)
	}
	return number(o.addMarketplace(r.user.id, name, without(given, "NAME")).ID)
}

// enableMarketplace, when it disables a marketplace, drops its apps from the database, as oned
// does.
func (o *Oned) enableMarketplace(marketplace *Object, on bool) {
	if on {
		marketplace.State = 0
		return
	}
	marketplace.State = 1
	for _, app := range o.appsOf(marketplace.ID) {
		if image := o.find(kindImage, app.OriginID); image != nil {
			release(image, app.ID)
		}
		o.drop(app)
	}
}

func (o *Oned) appsOf(marketplace int) []*Object {
	var apps []*Object
	for _, app := range o.objects[kindApp] {
		if app.Place == marketplace {
			apps = append(apps, app)
		}
	}
	return apps
}
