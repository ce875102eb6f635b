package onedtest

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// States of an image (OpenNebula's include/Image.h).
const (
	imageReady  = 1
	imageUsed   = 2
	imageLocked = 4
	imageError  = 5
	imageDelete = 7
)

var imageTypes = []string{"OS", "CDROM", "DATABLOCK", "KERNEL", "RAMDISK", "CONTEXT", "BACKUP"}

// notInImage are attributes that become elements or are dropped: FORMAT and DRIVER of a file
// are determined from the file.
var notInImage = []string{"NAME", "TYPE", "PATH", "SIZE", "SOURCE", "FORMAT", "DRIVER", "FS", "PERSISTENT", "DISK_TYPE"}

func (o *Oned) allocateImage(r request) string {
	refuse := func(code int, text string) string { return refusal(code, "[one.image.allocate] "+text) }
	given, err := parse(r.text(1))
	if err != nil {
		return refuse(internal, err.Error())
	}
	if get(given, "SOURCE") != "" && !r.user.isAdmin() {
		return notAuthorized(r, "Template includes a restricted attribute SOURCE.")
	}
	datastore := o.find(kindDatastore, r.number(2))
	if datastore == nil {
		return refusalOf(r.number(2), noExists, fmt.Sprintf("[one.image.allocate] Error getting datastore [%d].", r.number(2)))
	}
	image := &Object{Kind: kindImage, OwnerID: r.user.id, GroupID: r.user.group, State: imageLocked, Place: datastore.ID, Name: strings.TrimRight(get(given, "NAME"), " ")}
	image.Template = without(given, notInImage...)
	if get(given, "DEV_PREFIX") == "" {
		image.Template = append(image.Template, Attribute{Name: "DEV_PREFIX", Value: "sd"})
	}
	if strings.EqualFold(get(given, "PERSISTENT"), "YES") {
		image.Persistent = 1
	}
	app, text := o.measure(image, given, r.source)
	switch {
	case text != "":
		return refuse(internal, text)
	case image.SizeMB > datastore.FreeMB && r.number(3) == 0:
		return refuse(action, "Not enough space in datastore")
	case o.quota != noQuota && !r.user.isAdmin() && o.usage(r.user)+image.SizeMB > o.quota:
		return notAuthorized(r, fmt.Sprintf("user [%d] limit of %d reached for SIZE quota in DATASTORE with ID: %d.", r.user.id, o.quota, datastore.ID))
	}
	if text := o.refuseImage(image, datastore, get(given, "TYPE")); text != "" {
		return refuse(allocate, "Error allocating a new image. "+text)
	}
	o.add(image)
	o.copyImage(image, app, datastore)
	return number(image.ID)
}

// measure returns the size of an image: that of the app, of the file, or the one given.
func (o *Oned) measure(image *Object, given []Attribute, s source) (app *Object, text string) {
	if from := get(given, "FROM_APP"); from != "" {
		id, err := strconv.Atoi(from)
		if app = o.find(kindApp, id); err != nil || app == nil {
			return nil, "Cannot determine image SIZE."
		}
		image.SizeMB, image.Path = app.SizeMB, app.Source
		image.Template = append(image.Template, content("FROM_APP_MD5", app.MD5, "FROM_APP_NAME", app.Name)...)
		return app, ""
	}
	if s.path != "" {
		if s.refusal != "" {
			return nil, "Cannot parse image SIZE: " + s.refusal
		}
		image.SizeMB, image.Path = s.sizeMB, s.path
		return nil, ""
	}
	size, err := strconv.ParseInt(get(given, "SIZE"), 10, 64)
	if err != nil {
		return nil, "Cannot parse image SIZE: Wrong number or missing SIZE attribute."
	}
	image.SizeMB, image.Format = size, get(given, "FORMAT")
	if image.Format == "" {
		image.Format = "raw"
	}
	return nil, ""
}

// usage returns what counts towards a quota.
func (o *Oned) usage(u *user) int64 {
	used := o.quotaUsed
	for _, image := range o.objects[kindImage] {
		if image.OwnerID == u.id {
			used += image.SizeMB
		}
	}
	return used
}

func (o *Oned) refuseImage(image, datastore *Object, kind string) string {
	if text := o.checkName(kindImage, image.Name, image.OwnerID); text != "" {
		return text
	}
	if kind == "" {
		kind = "OS"
	}
	if image.Type = slices.Index(imageTypes, kind); image.Type < 0 {
		return "Unknown type "
	}
	isFile := slices.Contains([]string{"KERNEL", "RAMDISK", "CONTEXT"}, kind)
	switch {
	case datastore.Type == systemDatastore:
		return "New images can only be allocated in a files or image datastore."
	case datastore.Type == fileDatastore && !isFile:
		return "Only IMAGES of type KERNEL, RAMDISK and CONTEXT can be registered in a FILE_DS datastore"
	case datastore.Type == imageDatastore && isFile:
		return "IMAGES of type KERNEL, RAMDISK and CONTEXT cannot be registered in an IMAGE_DS datastore"
	case !storable(image.Template):
		return "Error transforming the Image to XML."
	}
	return ""
}

// copyImage reads the bytes now, and applies the result later.
func (o *Oned) copyImage(image, app, datastore *Object) {
	target := fmt.Sprintf("/var/lib/one//datastores/%d/%s", datastore.ID, o.hash(image))
	safe, restricted := datastore.Get("SAFE_DIRS"), datastore.Get("RESTRICTED_DIRS")
	driver, path := datastore.Get("DRIVER"), image.Path
	known := stored{format: image.Format}
	if app != nil {
		// The content of an app is not compared with its digest.
		known = stored{md5: app.MD5, format: app.Format}
	}
	wantMD5, wantSHA1 := image.Get("MD5"), image.Get("SHA1")
	o.readLater(image, func(ctx context.Context) func() {
		is := known
		if path != "" && app == nil {
			is = stored{failure: "Not allowed to copy image from " + path + ", check RESTRICTED_DIRS in your datastore"}
			if isRemote(path) || allowed(path, safe, restricted) {
				is = store(ctx, path, target, wantMD5, wantSHA1)
			}
		}
		is = is.convert(driver)
		return func() { o.settleImage(image, target, is) }
	})
}

func (o *Oned) settleImage(image *Object, target string, is stored) {
	if text := o.failCopy[kindImage]; text != "" {
		is.failure = text
	}
	if is.failure != "" {
		o.fail(image, imageError, "Error copying image in the datastore: "+is.failure)
		return
	}
	image.become(imageReady)
	image.Source, image.MD5, image.Format = target, is.md5, is.format
}

func (o *Oned) removeImage(r request, image *Object) string {
	switch force := r.number(2) == 1; {
	case image.State == imageLocked && !force:
		return refusalOf(image.ID, internal, "["+r.Method+"] Image locked, use --force flag to remove the image. Force delete may leave some files on Datastore")
	case image.State == imageLocked && !r.user.isAdmin():
		return notAuthorized(r, fmt.Sprintf("Not authorized to perform ADMIN IMAGE [%d].", image.ID))
	case image.State == imageUsed:
		return refusal(action, fmt.Sprintf("[%s] Cannot delete image. There are %d VMs using it.", r.Method, len(image.vms)))
	case image.State == imageLocked, image.State == imageError:
		o.drop(image)
		return number(image.ID)
	}
	image.become(imageDelete)
	o.later(image, func() { o.drop(image) })
	return number(image.ID)
}
