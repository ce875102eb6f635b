package onedtest

import (
	"fmt"
	"strings"
)

func (o *Oned) chmod(r request, object *Object) string {
	for i := range object.Permissions {
		if bit := r.number(2 + i); bit >= 0 {
			object.Permissions[i] = bit
		}
	}
	return number(object.ID)
}

func (o *Oned) chown(r request, object *Object) string {
	if owner := r.number(2); owner >= 0 {
		object.OwnerID = owner
	}
	if group := r.number(3); group >= 0 {
		object.GroupID = group
	}
	return number(object.ID)
}

func (o *Oned) rename(r request, object *Object) string {
	name := strings.TrimRight(r.text(2), " ")
	if problem := invalidName(name); problem != "" {
		return refusal(action, "["+r.Method+"] Cannot rename object. "+problem)
	}
	if other := o.named(object.Kind, name, object.OwnerID); other != nil && other != object {
		noun := nouns[object.Kind]
		return refusal(action, fmt.Sprintf("[%s] %s cannot be renamed to %s because it collides with %s %d", r.Method, noun, name, noun, other.ID))
	}
	object.Name = name
	return number(object.ID)
}

// update reports success for a template that oned cannot store, and stores none of it.
func (o *Oned) update(r request, object *Object) string {
	given, err := parse(r.text(2))
	if err != nil {
		return refusal(internal, "["+r.Method+"] Cannot update template. "+err.Error())
	}
	if !storable(given) {
		return number(object.ID)
	}
	given = without(given, "NAME")
	if object.Kind == kindApp {
		given = without(given, setByDriver...)
	}
	if isMerge := r.number(3) == 1; isMerge {
		given = merge(object.Template, given)
	}
	object.Template = given
	if object.Kind == kindApp {
		object.Version = object.Get("VERSION")
	}
	return number(object.ID)
}

func (o *Oned) enable(r request, object *Object) string {
	on := r.number(2) == 1
	switch {
	case object.Kind == kindMarketplace:
		o.enableMarketplace(object, on)
	case on && object.State == appDisabled:
		object.State = appReady
	case !on && object.State == appReady:
		object.State = appDisabled
	}
	return number(object.ID)
}

func (o *Oned) lock(r request, object *Object) string {
	o.now++
	object.lockedBy, object.lockTime = &r.user.id, o.now
	return number(object.ID)
}

func (o *Oned) unlock(_ request, object *Object) string {
	object.lockedBy = nil
	return number(object.ID)
}

func (o *Oned) remove(r request, object *Object) string {
	switch object.Kind {
	case kindImage:
		return o.removeImage(r, object)
	case kindApp:
		return o.removeApp(r, object)
	case kindMarketplace:
		if len(o.appsOf(object.ID)) > 0 {
			return refusal(action, fmt.Sprintf("[%s] Cannot delete marketplace. marketplace  %d is not empty.", r.Method, object.ID))
		}
	}
	o.drop(object)
	return number(object.ID)
}
