package onedtest

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"testing"
	"time"
)

// Ids of the objects in a new Oned.
const (
	Datastore   = 1   // "default", for images
	Marketplace = 100 // "private", of the kind http
	Public      = 101 // "public", of the kind one, which takes no apps
)

// Oned is a running double. Its methods may be called while it is serving.
type Oned struct {
	mu      sync.Mutex
	url     string
	version string
	// ctx ends with the test, busy counts the goroutines that read images until then.
	ctx  context.Context
	busy sync.WaitGroup
	// copying is how long a copy or a deletion takes in addition to reading the bytes.
	copying time.Duration
	users   []*user
	next    map[string]int
	objects map[string][]*Object
	// now is the clock for creation times, which advances with each object.
	now int64

	calls     []string
	faults    map[int]Fault
	downFrom  int
	onCall    func(n int, method string)
	failCopy  map[string]string
	held      bool
	noOneGate bool
	quota     int64
	quotaUsed int64
}

// Start runs a double of a version ("7.0.0" or "7.4.0") until the test ends.
func Start(t testing.TB, version string) *Oned {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	o := &Oned{
		version: version, ctx: ctx, copying: 3 * time.Millisecond, now: 1795375830, users: newUsers(),
		next: map[string]int{kindMarketplace: Marketplace, kindDatastore: Marketplace}, objects: map[string][]*Object{},
		faults: map[int]Fault{}, failCopy: map[string]string{}, downFrom: -1, quota: noQuota,
	}
	o.addDatastores("/var/tmp " + os.TempDir())
	o.addMarketplace(0, "private", content("MARKET_MAD", "http", "BASE_URL", "http://127.0.0.1:18081/", "PUBLIC_DIR", "/var/tmp/one-market"))
	o.addMarketplace(0, "public", content("MARKET_MAD", "one", "ENDPOINT", "http://127.0.0.1:18082"))
	o.addMarketplace(0, "bucket", content("MARKET_MAD", "s3", "BUCKET", "apps", "REGION", "default"))
	o.SetFree(1<<20, 1<<20)
	server := httptest.NewServer(http.HandlerFunc(o.serve))
	t.Cleanup(func() {
		cancel()
		server.Close()
		o.busy.Wait()
	})
	o.url = server.URL
	return o
}

// Endpoint returns the URL of the API.
func (o *Oned) Endpoint() string { return o.url + "/RPC2" }

// Calls returns the methods called so far, in order.
func (o *Oned) Calls() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]string(nil), o.calls...)
}

// Images returns copies of the images, in the order of creation.
func (o *Oned) Images() []Object { return o.all(kindImage) }

// Apps returns copies of the apps.
func (o *Oned) Apps() []Object { return o.all(kindApp) }

// Templates returns copies of the VM templates.
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

// settle applies all state changes that are due.
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

// readLater runs read without the lock and applies the function it returns later, unless the
// object is gone by then.
func (o *Oned) readLater(object *Object, read func(context.Context) (then func())) {
	o.busy.Go(func() {
		then := read(o.ctx)
		o.mu.Lock()
		defer o.mu.Unlock()
		if o.find(object.Kind, object.ID) == object {
			o.later(object, then)
		}
	})
}
