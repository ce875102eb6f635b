package onedtest

import (
	"slices"
	"strconv"
	"strings"
)

// States of an app (OpenNebula's include/MarketPlaceApp.h).
const (
	appReady    = 1
	appLocked   = 2
	appError    = 3
	appDisabled = 4
)

// Types of an app; 0 is unknown to oned.
const (
	appUnknown = iota
	appImage
	appVMTemplate
	appService
)

var appTypes = map[string]int{"": appImage, "IMAGE": appImage, "VMTEMPLATE": appVMTemplate, "SERVICE_TEMPLATE": appService}

// setByDriver are the attributes that a user cannot set.
var setByDriver = []string{"ORIGIN_ID", "SOURCE", "MD5", "SIZE", "FORMAT"}

// refusePool returns the refusal by the pool of a kind; 7.4 gives more detail and another
// code.
func (o *Oned) refusePool(r request, kind, text string) string {
	if strings.HasPrefix(o.version, "7.4") {
		return refusal(allocate, "["+r.Method+"] Error allocating a new "+nouns[kind]+". "+text)
	}
	return refusal(internal, "["+r.Method+"] "+text)
}

func (o *Oned) allocateApp(r request) string {
	given, err := parse(r.text(1))
	if err != nil {
		return refusal(internal, "["+r.Method+"] "+err.Error())
	}
	if text := o.refuseMarketplace(r); text != "" {
		return text
	}
	name := strings.TrimRight(get(given, "NAME"), " ")
	if text := o.checkName(kindApp, name, r.user.id); text != "" {
		return o.refusePool(r, kindApp, text)
	}
	origin, err := strconv.Atoi(get(given, "ORIGIN_ID"))
	if err != nil {
		return o.refusePool(r, kindApp, "Missing ORIGIN_ID for the MARKETPLACEAPP")
	}
	app := &Object{Kind: kindApp, OwnerID: r.user.id, GroupID: r.user.group, Name: name, OriginID: origin, Place: r.number(2), State: appLocked}
	app.Template = without(given, append(setByDriver, "NAME")...)
	if !storable(app.Template) {
		return o.refusePool(r, kindApp, "Error transforming the marketplace app to XML.")
	}
	app.Type, app.Version = appTypes[get(given, "TYPE")], app.Get("VERSION")
	if app.Version == "" {
		app.Version = "0.0"
	}
	o.add(app)
	// From here on a refused call leaves the app behind, in ERROR.
	if text := o.copyApp(app); text != "" {
		o.fail(app, appError, text)
		return refusal(internal, "["+r.Method+"] "+text)
	}
	return number(app.ID)
}

func (o *Oned) refuseMarketplace(r request) string {
	marketplace := o.find(kindMarketplace, r.number(2))
	switch {
	case marketplace == nil && strings.HasPrefix(o.version, "7.4"):
		return refusal(internal, "["+r.Method+"] Cannot find associated MARKETPLACE ID = "+strconv.Itoa(r.number(2)))
	case marketplace == nil:
		return refusal(internal, "["+r.Method+"] Cannot find associated MARKETPLACE")
	case !r.user.makesApps:
		return notAuthorized(r, "Not authorized to perform CREATE MARKETPLACEAPP.")
	case isPublic(marketplace):
		return refusal(action, "["+r.Method+"] Create disabled for market: "+marketplace.Name)
	}
	return ""
}

// copyApp starts to copy the origin, whose permissions oned does not check. VM and service
// templates have nothing to copy.
func (o *Oned) copyApp(app *Object) (refused string) {
	switch app.Type {
	case appUnknown:
		return "Marketplace app type not supported."
	case appVMTemplate, appService:
		app.become(appReady)
		return ""
	}
	image := o.find(kindImage, app.OriginID)
	if image == nil {
		return "Image does not exist."
	}
	if image.State != imageReady && image.State != imageUsed {
		return "Cannot clone image in current state"
	}
	image.clones = append(image.clones, app.ID)
	image.become(imageUsed)
	o.later(app, func() { o.settleApp(app, image) })
	return ""
}

func (o *Oned) settleApp(app, image *Object) {
	release(image, app.ID)
	if failure := o.failCopy[kindApp]; failure != "" {
		o.fail(app, appError, "Error importing app into marketplace: "+failure)
		return
	}
	app.become(appReady)
	app.MD5, app.SizeMB, app.Format = image.MD5, image.SizeMB, image.Format
	app.Source = o.find(kindMarketplace, app.Place).Get("BASE_URL") + o.hash(app)
}

// release unlocks an origin when its copy has ended.
func release(image *Object, app int) {
	image.clones = slices.DeleteFunc(image.clones, func(id int) bool { return id == app })
	if image.State == imageUsed && len(image.clones)+len(image.vms) == 0 {
		image.become(imageReady)
	}
}

// removeApp deletes an app in any state; the app keeps showing its old state until it is gone.
func (o *Oned) removeApp(r request, app *Object) string {
	if marketplace := o.find(kindMarketplace, app.Place); isPublic(marketplace) {
		return refusal(action, "["+r.Method+"] Cannot delete marketplaceapp. Delete disabled for market: "+marketplace.Name)
	}
	if image := o.find(kindImage, app.OriginID); image != nil {
		release(image, app.ID)
	}
	o.later(app, func() { o.drop(app) })
	return number(app.ID)
}

func (o *Oned) allocateTemplate(r request) string {
	given, err := parse(r.text(1))
	if err != nil {
		return refusal(internal, "["+r.Method+"] "+err.Error())
	}
	name := strings.TrimRight(get(given, "NAME"), " ")
	text := o.checkName(kindTemplate, name, r.user.id)
	if text == "" && !storable(given) {
		text = "Error transforming the Template to XML."
	}
	if text != "" {
		return refusal(internal, "["+r.Method+"] "+text)
	}
	template := &Object{Kind: kindTemplate, OwnerID: r.user.id, GroupID: r.user.group, Name: name, Template: without(given, "NAME")}
	return number(o.add(template).ID)
}
