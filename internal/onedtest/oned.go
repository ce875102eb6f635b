package onedtest

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"
)

// User and Password are those of the one user, whose number is 2.
const (
	User     = "publisher"
	Password = "publisher-password"
)

// Numbers of what a new Oned holds.
const (
	Datastore   = 1   // "default", for images
	Marketplace = 100 // "private", of the kind http
	Public      = 101 // "public", of the kind one, with no right to create
)

// Kinds of objects.
const (
	kindImage    = "IMAGE"
	kindApp      = "MARKETPLACEAPP"
	kindTemplate = "VMTEMPLATE"
)

// Oned is a running double. Its methods may be called while it serves.
type Oned struct {
	mu      sync.Mutex
	url     string
	version string
	// copying is how long a copy or a deletion takes.
	copying time.Duration
	next    map[string]int
	objects map[string][]*Object
	now     int64

	calls     []string
	faults    map[int]Fault
	downFrom  int
	onCall    func(n int, method string)
	failCopy  map[string]string
	held      bool
	freeMB    int64
	marketMB  int64
	revoked   bool
	quota     string
	marketOff bool
	driver    string
}

// Object is an image, an app or a VM template.
type Object struct {
	Kind        string
	ID          int
	Name        string
	State       int
	Permissions [9]int
	GroupID     int
	Template    []Attribute
	// What follows is for images and apps.
	Type, OriginID, Place int
	MD5, Format, Source   string
	SizeMB, RegTime       int64
	// until is when the state changes, then is what happens.
	until time.Time
	then  func()
}

// Start runs a double of the version ("7.0.0" or "7.4.0") until the test ends.
func Start(t testing.TB, version string) *Oned {
	t.Helper()
	o := &Oned{
		version: version, copying: 3 * time.Millisecond, now: 1795375830,
		next: map[string]int{}, objects: map[string][]*Object{}, faults: map[int]Fault{}, failCopy: map[string]string{},
		freeMB: 1 << 20, marketMB: 1 << 20, downFrom: -1,
	}
	server := httptest.NewServer(http.HandlerFunc(o.serve))
	t.Cleanup(server.Close)
	o.url = server.URL
	return o
}

// Endpoint is the URL of the API.
func (o *Oned) Endpoint() string { return o.url + "/RPC2" }

// Calls are the methods called so far, in order.
func (o *Oned) Calls() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]string(nil), o.calls...)
}

// Images, Apps and Templates are copies of what there is.
func (o *Oned) Images() []Object { return o.all(kindImage) }

// Apps are copies of the apps.
func (o *Oned) Apps() []Object { return o.all(kindApp) }

// Templates are copies of the VM templates.
func (o *Oned) Templates() []Object { return o.all(kindTemplate) }

func (o *Oned) all(kind string) []Object {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.settle()
	var objects []Object
	for _, object := range o.objects[kind] {
		objects = append(objects, *object)
	}
	return objects
}

// Get returns the value of an attribute of the object.
func (o Object) Get(name string) string { return get(o.Template, name) }

// settle lets everything happen whose time has come.
func (o *Oned) settle() {
	for _, kind := range []string{kindImage, kindApp} {
		for _, object := range append([]*Object(nil), o.objects[kind]...) {
			if object.then != nil && !o.held && !time.Now().Before(object.until) {
				then := object.then
				object.then = nil
				then()
			}
		}
	}
}

func (o *Oned) later(object *Object, then func()) {
	object.until, object.then = time.Now().Add(o.copying), then
}

func (o *Oned) add(object *Object) *Object {
	object.ID = o.next[object.Kind]
	o.next[object.Kind]++
	o.now++
	object.RegTime = o.now
	object.GroupID = 1
	object.Permissions = [9]int{1, 1}
	o.objects[object.Kind] = append(o.objects[object.Kind], object)
	return object
}

func (o *Oned) drop(object *Object) {
	var left []*Object
	for _, other := range o.objects[object.Kind] {
		if other != object {
			left = append(left, other)
		}
	}
	o.objects[object.Kind] = left
}

func (o *Oned) find(kind string, id int) *Object {
	for _, object := range o.objects[kind] {
		if object.ID == id {
			return object
		}
	}
	return nil
}
