package onedtest

import (
	"fmt"
	"strings"
)

// request is a call by an authenticated user; source is for the allocation of an image.
type request struct {
	call
	user   *user
	source source
}

// method contains the letters of its parameter types and its implementation, which is called
// with the lock held.
type method struct {
	params string
	answer func(*Oned, request) string
}

// verb is a method of one object, for which the user must have a permission.
type verb struct {
	params string
	right  int
	answer func(*Oned, request, *Object) string
}

var verbs = map[string]verb{
	"info":   {"si?bb", use, func(o *Oned, _ request, object *Object) string { return text(o.info(object)) }},
	"update": {"sisi", manage, (*Oned).update},
	"chmod":  {"siiiiiiiiii", manage, (*Oned).chmod},
	"chown":  {"siii", manage, (*Oned).chown},
	"rename": {"sis", manage, (*Oned).rename},
	"delete": {"si?b", manage, (*Oned).remove},
	"enable": {"sib", manage, (*Oned).enable},
	"lock":   {"si?ib", manage, (*Oned).lock},
	"unlock": {"si", manage, (*Oned).unlock},
}

// paths maps the kind in a method name to the kind of object and its verbs.
var paths = map[string]struct{ kind, verbs string }{
	"image":     {kindImage, "info update chmod chown rename delete lock unlock"},
	"marketapp": {kindApp, "info update chmod chown rename delete enable lock unlock"},
	"template":  {kindTemplate, "info update chmod chown rename delete"},
	"datastore": {kindDatastore, "info"},
	"market":    {kindMarketplace, "info chmod delete enable"},
}

var methods = map[string]method{
	"one.system.version":     {"s", func(o *Oned, _ request) string { return text(o.version) }},
	"one.user.info":          {"si?b", (*Oned).userInfo},
	"one.grouppool.info":     {"s", (*Oned).groupPool},
	"one.zonepool.info":      {"s", (*Oned).zonePool},
	"one.image.allocate":     {"ssi?b", (*Oned).allocateImage},
	"one.marketapp.allocate": {"ssi", (*Oned).allocateApp},
	"one.template.allocate":  {"ss", (*Oned).allocateTemplate},
	"one.market.allocate":    {"ss", (*Oned).allocateMarketplace},
	"one.vm.allocate":        {"ss?b", (*Oned).refuseVM},
}

func (o *Oned) answer(c call) string {
	m, known := methodOf(c.Method)
	if !known {
		return fault(-506, "Method '"+c.Method+"' not defined")
	}
	if problem := c.mismatch("s"); problem != "" {
		return fault(-501, problem)
	}
	r := request{call: c}
	o.set(func() { r.user = o.authenticate(c.text(0)) })
	if r.user == nil {
		return refusal(authentication, "["+c.Method+"] User couldn't be authenticated, aborting call.")
	}
	if problem := c.mismatch(m.params); problem != "" {
		return fault(-501, problem)
	}
	if c.Method == "one.image.allocate" {
		// The source may be slow, and other calls must not wait for it.
		r.source = probeTemplate(o.ctx, c.text(1))
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.settle()
	return m.answer(o, r)
}

func methodOf(name string) (method, bool) {
	if m, found := methods[name]; found {
		return m, true
	}
	parts := strings.Split(name, ".")
	if len(parts) != 3 || parts[0] != "one" {
		return method{}, false
	}
	if word, isPool := strings.CutSuffix(parts[1], "pool"); isPool && parts[2] == "info" && paths[word].kind != "" {
		params := "siii"
		if paths[word].kind == kindDatastore || paths[word].kind == kindMarketplace {
			params = "s"
		}
		return method{params, func(o *Oned, r request) string { return o.poolInfo(r, paths[word].kind) }}, true
	}
	path, v := paths[parts[1]], verbs[parts[2]]
	if !strings.Contains(" "+path.verbs+" ", " "+parts[2]+" ") {
		return method{}, false
	}
	return method{v.params, func(o *Oned, r request) string { return o.onObject(r, path.kind, parts[2], v) }}, true
}

// onObject handles calls whose second parameter is the id of an object.
func (o *Oned) onObject(r request, kind, name string, v verb) string {
	id := r.number(1)
	object := o.find(kind, id)
	label := strings.TrimPrefix(kind, "VM")
	switch {
	case object == nil:
		return refusalOf(id, noExists, fmt.Sprintf("[%s] Error getting %s [%d].", r.Method, nouns[kind], id))
	case object.lockedBy != nil && name != "info" && name != "unlock":
		return notAuthorized(r, fmt.Sprintf("%s is locked. [%d].", label, id))
	case !r.user.may(v.right, object):
		return notAuthorized(r, fmt.Sprintf("Not authorized to perform %s %s [%d].", rightNames[v.right], label, id))
	}
	return v.answer(o, r, object)
}

// Owner filters of a pool (OpenNebula's include/RequestManagerPoolInfoFilter.h).
const (
	poolMine      = -3
	poolAll       = -2
	poolMineGroup = -1
)

// poolInfo lists the newest first, as oned does.
func (o *Oned) poolInfo(r request, kind string) string {
	filter := poolAll
	if kind != kindDatastore && kind != kindMarketplace {
		filter = r.number(1)
	}
	objects := o.objects[kind]
	var b strings.Builder
	for i := len(objects) - 1; i >= 0; i-- {
		object := objects[i]
		listed := false
		switch filter {
		case poolAll:
			listed = true
		case poolMine:
			listed = object.OwnerID == r.user.id
		case poolMineGroup:
			listed = object.OwnerID == r.user.id || object.GroupID == r.user.group
		default:
			listed = object.OwnerID == filter
		}
		if listed && r.user.may(use, object) {
			b.WriteString(o.info(object))
		}
	}
	return text("<" + kind + "_POOL>" + b.String() + "</" + kind + "_POOL>")
}
